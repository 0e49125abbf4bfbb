-- KEYS: names, events. ARGV: key, origin.
local text = redis.call('HGET', KEYS[1], ARGV[1])
local holder = text and cjson.decode(text)
if not holder or holder.origin ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('PUBLISH', KEYS[2], cjson.encode({left = holder.name}))
return 1

-- KEYS: names, events. ARGV: key, holder, what the keys of processes begin with, "again" or "".
local mine, text = cjson.decode(ARGV[2]), redis.call('HGET', KEYS[1], ARGV[1])
local theirs = text and cjson.decode(text)
local moved = theirs and theirs.token == mine.token
if theirs and not moved
   and (theirs.process == mine.process or redis.call('EXISTS', ARGV[3] .. theirs.process) == 1) then
  return 'in use'
end
if moved and ARGV[4] == 'again' and theirs.since > mine.since then return 'moved' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
local function tell(event) redis.call('PUBLISH', KEYS[2], cjson.encode(event)) end
if theirs and theirs.origin ~= mine.origin then tell({dismiss = theirs.origin, moved = moved}) end
if theirs and theirs.name ~= mine.name then tell({left = theirs.name}) end
tell({joined = mine.name})
return ''

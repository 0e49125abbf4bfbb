-- Take a dead process out of the map. Returns users who are nowhere now: id, name, id, name...
-- ARGV: prefix, process.
local prefix, process = ARGV[1], ARGV[2]
if redis.call('EXISTS', prefix .. 'process:' .. process) == 1 then return {} end
local gone = {}
local users = redis.call('HGETALL', prefix .. 'users:' .. process)
for i = 1, #users, 2 do
  redis.call('SREM', prefix .. 'where:' .. users[i], process)
  if #where(prefix, users[i]) == 0 then
    table.insert(gone, users[i])
    table.insert(gone, users[i + 1])
  end
end
redis.call('DEL', prefix .. 'users:' .. process)
redis.call('SREM', prefix .. 'processes', process)
return gone

-- Note a user in a process; return in how many processes the user was before.
-- ARGV: prefix, user, process, name.
local before = #where(ARGV[1], ARGV[2])
redis.call('SADD', ARGV[1] .. 'where:' .. ARGV[2], ARGV[3])
redis.call('HSET', ARGV[1] .. 'users:' .. ARGV[3], ARGV[2], ARGV[4])
return before

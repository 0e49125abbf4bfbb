-- Take a user out of a process; return in how many others the user is.
-- ARGV: prefix, user, process.
redis.call('SREM', ARGV[1] .. 'where:' .. ARGV[2], ARGV[3])
redis.call('HDEL', ARGV[1] .. 'users:' .. ARGV[3], ARGV[2])
return #where(ARGV[1], ARGV[2])

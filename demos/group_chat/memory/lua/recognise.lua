-- Which run of the room this is, and after which number it began. A Redis that was emptied, or put
-- back to an older state, begins a new one.
-- KEYS: epoch, number. ARGV: the epoch and the number that we know, the token of a new epoch.
local epoch, number = redis.call('GET', KEYS[1]), tonumber(redis.call('GET', KEYS[2]) or '0')
if epoch and (epoch ~= ARGV[1] or number >= tonumber(ARGV[2])) then return epoch end
epoch = ARGV[3] .. '.' .. (epoch and number or 0)
redis.call('SET', KEYS[1], epoch)
return epoch

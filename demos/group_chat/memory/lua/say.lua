-- Adds messages to the stream. Whoever waits for news gets all of them together.
-- KEYS: number, messages, and for each message: what was said under its key before.
-- ARGV: how many to keep, seconds to remember them, and for each message: itself, its time, the
-- digest of its text.
-- Answers for each: number, time and digest of what is in the stream, and whether it was before.
local answers = {}
for index = 3, #KEYS do
  local argument = 3 * index - 6
  local message, time, digest = ARGV[argument], ARGV[argument + 1], ARGV[argument + 2]
  local said, again = redis.call('GET', KEYS[index]), ' 1'
  if not said then
    local number = redis.call('INCR', KEYS[1])
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], number .. '-0', 'message', message)
    said, again = number .. ' ' .. time .. ' ' .. digest, ' 0'
    redis.call('SET', KEYS[index], said, 'EX', ARGV[2])
  end
  answers[#answers + 1] = said .. again
end
return answers

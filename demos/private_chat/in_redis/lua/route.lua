-- Send a text to the other processes where these users are. ARGV: prefix, process, text, users...
local sent = {}
for i = 4, #ARGV do
  for _, process in ipairs(where(ARGV[1], ARGV[i])) do
    if process ~= ARGV[2] and not sent[process] then
      sent[process] = true
      redis.call('PUBLISH', ARGV[1] .. 'inbox:' .. process, ARGV[3])
    end
  end
end
return 0

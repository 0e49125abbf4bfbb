-- Return in how many processes each user is. ARGV: prefix, users...
local online = {}
for i = 2, #ARGV do online[i - 1] = #where(ARGV[1], ARGV[i]) end
return online

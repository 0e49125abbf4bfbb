-- Which living processes serve a user. Every other script begins with this one.
local function where(prefix, user)
  local living = {}
  for _, process in ipairs(redis.call('SMEMBERS', prefix .. 'where:' .. user)) do
    if redis.call('EXISTS', prefix .. 'process:' .. process) == 1 then
      table.insert(living, process)
    end
  end
  return living
end

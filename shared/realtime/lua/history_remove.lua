-- history_remove: forgets a channel's publications, but not those that are still on their way to somebody
-- KEYS channel, log
-- RETURNS how many entries went
local held = redis.call('HMGET', K.channel, 'e', 'c', 'ce')
if not held[1] or held[3] ~= held[1] then return 0 end
local offset, n = string.match(held[2], '^(%d+)-(%d+)$')
return redis.call('XTRIM', K.log, 'MINID', '=', offset .. '-' .. (tonumber(n) + 1))

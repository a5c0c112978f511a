-- history_remove: hides a channel's publications so far from history and recovery
-- USES realtime/append
-- KEYS channel, log
-- RETURNS how many entries went at once: none of those that may still be on their way to somebody
local fields = {}
read_fields(K.channel, { 'e', 's', 'l', 'c', 'ce' }, fields)
if not fields.e then return 0 end
redis.call('HSET', K.channel, 'hr', fields.s or 0, 'ht', server_ms() + EPHEMERAL_MS)
if not single({ f = fields }) or fields.ce ~= fields.e then return 0 end
local offset, n = string.match(fields.c, '^(%d+)-(%d+)$')
return redis.call('XTRIM', K.log, 'MINID', '=', offset .. '-' .. (tonumber(n) + 1))

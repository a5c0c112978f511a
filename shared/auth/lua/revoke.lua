-- revoke: writes what ends a user's tokens early (see revocation.lua); what no longer ends any goes
-- KEYS held
-- ARGV field, until_s, keep_until_ms, now_s
-- A user's hash is his channel, too: `x` says when it expires (unix ms), and that is never made earlier.  The tenant's
-- `revoked` has the sessions of which nobody knows whose they are.
local held, fields, over = redis.call('HGETALL', K.held), {}, {}
for i = 1, #held, 2 do
  fields[held[i]] = held[i + 1]
  if string.sub(held[i], 1, 8) == 'revoked:' and tonumber(held[i + 1]) < tonumber(A.now_s) then over[#over + 1] = held[i] end
end
local value = A.until_s
if A.field == 'revoked_before' then
  value = string.format('%.0f', math.max(tonumber(value), tonumber(fields[A.field] or 0)))
end
local expires = string.format('%.0f', math.max(tonumber(A.keep_until_ms), tonumber(fields.x or 0)))
if #over > 0 then redis.call('HDEL', K.held, unpack(over)) end
redis.call('HSET', K.held, A.field, value, 'x', expires)
return redis.call('PEXPIREAT', K.held, expires)

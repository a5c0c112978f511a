-- revoke: writes what ends a user's tokens early (see revocation.lua); what no longer ends any goes
-- KEYS user
-- ARGV field, until_s, keep_until_ms, now_s
-- The hash is the user's channel, too: `x` says when it expires (unix ms), and that is never made earlier.
local held, fields, over = redis.call('HGETALL', K.user), {}, {}
for i = 1, #held, 2 do
  fields[held[i]] = held[i + 1]
  if string.sub(held[i], 1, 8) == 'revoked:' and tonumber(held[i + 1]) < tonumber(A.now_s) then over[#over + 1] = held[i] end
end
local value = A.until_s
if A.field == 'revoked_before' then
  value = string.format('%.0f', math.max(tonumber(value), tonumber(fields[A.field] or 0)))
end
local expires = string.format('%.0f', math.max(tonumber(A.keep_until_ms), tonumber(fields.x or 0)))
if #over > 0 then redis.call('HDEL', K.user, unpack(over)) end
redis.call('HSET', K.user, A.field, value, 'x', expires)
return redis.call('PEXPIREAT', K.user, expires)

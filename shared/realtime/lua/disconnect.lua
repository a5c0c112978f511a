-- disconnect: ends a connection; what it is still a member of is named, so that leave.lua can take it out
-- USES realtime/log, auth/connection
-- KEYS user, leases, addresses
-- ARGV conn, personal, if_lease_ended
-- RETURNS 'gone' | 'alive' | 'ok' and each channel that it is still in, with its lane
-- The record stays, as gone, until every channel is left: a crash in between is finished by the lease's reaper.
-- The lease ends now, so that nothing more is sent to it.
local held = redis.call('HMGET', K.user, 'c:' .. A.conn, 's:' .. A.conn)
if A.if_lease_ended == '1' then
  local ends = redis.call('ZSCORE', K.leases, A.conn)
  if ends and tonumber(ends) > server_ms() then return { 'alive' } end
end
if not held[1] then
  redis.call('ZREM', K.leases, A.conn)
  return { 'gone' }
end
local record, left = lines(held[1], RECORD), { 'ok' }
for channel, sub in pairs(subscriptions_of(held[2])) do
  if sub[2] and channel ~= A.personal then left[#left + 1] = channel; left[#left + 1] = tonumber(sub[3]) end
end
if record.state ~= 'g' and redis.call('HINCRBY', K.addresses, record.address, -1) <= 0 then
  redis.call('HDEL', K.addresses, record.address)
end
if #left == 1 then
  redis.call('ZREM', K.leases, A.conn)
  redis.call('HDEL', K.user, 'c:' .. A.conn, 's:' .. A.conn, 'm:' .. A.conn)
else
  record.state = 'g'
  redis.call('ZADD', K.leases, 1, A.conn)
  redis.call('HSET', K.user, 'c:' .. A.conn, record_text(record))
end
return left

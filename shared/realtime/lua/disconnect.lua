-- disconnect: forgets a connection and names the channels that it leaves behind
-- USES realtime/log, auth/connection
-- KEYS user, leases, addresses
-- ARGV conn, if_lease_ended
-- RETURNS 'gone' | 'alive' | each subscribed channel after 'ok'
local record = redis.call('HMGET', K.user, 'c:' .. A.conn, 's:' .. A.conn)
if A.if_lease_ended == '1' then
  local ends = redis.call('ZSCORE', K.leases, A.conn)
  if ends and tonumber(ends) > server_ms() then return { 'alive' } end
end
redis.call('ZREM', K.leases, A.conn)
if not record[1] then return { 'gone' } end
redis.call('HDEL', K.user, 'c:' .. A.conn, 's:' .. A.conn)
local address = lines(record[1], RECORD).address
if redis.call('HINCRBY', K.addresses, address, -1) <= 0 then redis.call('HDEL', K.addresses, address) end
local left = { 'ok' }
for channel, sub in pairs(subscriptions_of(record[2])) do
  if sub[2] then left[#left + 1] = channel end
end
return left

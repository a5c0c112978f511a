-- renew: connections that took a keep-alive go on for another lease
-- USES realtime/log, auth/connection
-- KEYS leases
-- ARGV lease_ms, ahead_ms
-- and for each connection: the key of its user's hash, the connection
-- RETURNS the connections whose life ends within `ahead_ms`
local now, old = server_ms(), {}
for i = 2, #KEYS do
  local conn = ARGV[i + 1]
  local text = redis.call('HGET', KEYS[i], 'c:' .. conn)
  local record = text and lines(text, RECORD)
  if record and record.state ~= 'g' and tonumber(record.lease) > now then
    record.lease = tostring(lease_end(record, now, A.lease_ms))
    redis.call('ZADD', K.leases, record.lease, conn)
    redis.call('HSET', KEYS[i], 'c:' .. conn, record_text(record))
    if life_end(record) <= now + A.ahead_ms then old[#old + 1] = conn end
  end
end
return old

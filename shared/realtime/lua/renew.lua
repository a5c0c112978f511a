-- renew: connections that took a keep-alive go on for another lease
-- USES realtime/log, auth/connection
-- KEYS leases
-- ARGV lease_ms
-- and for each connection: the key of its user's hash, the connection
-- RETURNS how many go on
local now, renewed = server_ms(), 0
for i = 2, #KEYS do
  local conn = ARGV[i]
  local text = redis.call('HGET', KEYS[i], 'c:' .. conn)
  if text then
    local record = lines(text, RECORD)
    if record.state ~= 'g' and tonumber(record.lease) > now then
      record.lease = tostring(lease_end(record, now, A.lease_ms))
      redis.call('ZADD', K.leases, record.lease, conn)
      redis.call('HSET', KEYS[i], 'c:' .. conn, record_text(record))
      renewed = renewed + 1
    end
  end
end
return renewed

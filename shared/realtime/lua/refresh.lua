-- refresh: a connection goes on under a newer token
-- USES realtime/log, auth/connection, auth/subscriptions, auth/revocation
-- KEYS user, leases
-- ARGV conn, session, permissions, expires, issued, new_session, lease_ms, personal, look
-- RETURNS 'ok', and with `look` the channels that the new rights may not open: until a refresh without, the old time
-- stands | gone | revoked | expired | waiting
local now = server_ms()
local record, text = connection_load(K.user, A.conn, A.session, '', now)
if not record then return { text } end
if revoked(K.user, A.new_session, A.issued, now / 1000) then return { 'revoked' } end
record.permissions, record.issued, record.session = A.permissions, A.issued, A.new_session

local admin, reads = string.find(A.permissions, 'a', 1, true), string.find(A.permissions, 'r', 1, true)
local doubtful = { 'ok' }
for channel, sub in pairs(subscriptions_of(text)) do
  local guarded = not reads or string.find(channel, '^session:') or string.find(channel, '^file:')
  if A.look == '1' and sub[2] and guarded and not admin and channel ~= A.personal then
    doubtful[#doubtful + 1] = channel
  end
end
if #doubtful == 1 then
  record.expires, record.lease = A.expires, '0'
  renew(K.leases, A.conn, record, now, A.lease_ms)
end
redis.call('HSET', K.user, 'c:' .. A.conn, record_text(record))
return doubtful

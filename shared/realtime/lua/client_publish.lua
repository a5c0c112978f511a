-- client_publish: a subscriber appends a publication
-- USES realtime/channel, auth/connection, auth/subscriptions
-- KEYS user, channel, log, leases, lanes
-- ARGV channel, owner, birth, history_size, history_ttl_ms, join_leave, conn, session, need, lease_ms, subscribers_only, body
-- RETURNS 'ok', offset, epoch, claim | gone | revoked | expired | waiting | denied
local now = server_ms()
local record, text = connection_load(K.user, A.conn, A.session, A.need, now)
if not record then return { text } end
if A.subscribers_only == '1' and not subscribed(text, A.channel, now) then return { 'denied' } end
if renew(K.leases, A.conn, record, now, A.lease_ms) then
  redis.call('HSET', K.user, 'c:' .. A.conn, record_text(record))
end
local ch = channel_load(now)
append(ch, 'pub', A.body)
local claim = claim_published(ch)
return { 'ok', ch.s, ch.f.e, claim }

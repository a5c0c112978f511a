-- refresh: a connection goes on under a newer token
-- USES realtime/log, auth/connection, auth/revocation
-- KEYS user, leases
-- ARGV conn, session, permissions, expires, issued, new_session, lease_ms
-- RETURNS 'ok' | gone | revoked | expired | waiting
local now = server_ms()
local record, why = connection_load(K.user, A.conn, A.session, '', now)
if not record then return why end
if revoked(K.user, A.new_session, A.issued, now / 1000) then return 'revoked' end
record.permissions, record.expires, record.issued, record.session = A.permissions, A.expires, A.issued, A.new_session
record.lease = '0'
renew(K.leases, A.conn, record, now, A.lease_ms)
redis.call('HSET', K.user, 'c:' .. A.conn, record_text(record))
return 'ok'

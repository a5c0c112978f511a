-- create_session: a new session within the caps, and its event; the same id again finds what it made
-- USES auth/revocation, sessions/record, realtime/channel
-- KEYS user, session, live, live_owned, channel, log, leases, lanes
-- ARGV auth_session, issued_at, now_s, most, most_owned, request, fields, keep_until_ms, body, channel, owner, birth, history_size, history_ttl_ms, join_leave
-- then record and indexes as session_write wants them
-- RETURNS 'revoked' | 'full' | 'owner full' | 'exists' | {'created', claim}
if revoked(K.user, A.auth_session, A.issued_at, A.now_s) then return 'revoked' end
if redis.call('EXISTS', K.session) == 1 then return 'exists' end
if redis.call('ZCARD', K.live) >= tonumber(A.most) then return 'full' end
if redis.call('ZCARD', K.live_owned) >= tonumber(A.most_owned) then return 'owner full' end
session_write(false)
return { 'created', (channel_publish(A.body)) }

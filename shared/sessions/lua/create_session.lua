-- create_session: a new session within the caps, and its event; the same id again finds what it made
-- USES auth/revocation, sessions/record, realtime/channel
-- KEYS user, session, live, live_owned, channel, log, leases, lanes
-- ARGV auth_session, issued_at, now_s, most, most_owned, request, fields, keep_until_ms, body, channel, owner, birth, history_size, history_ttl_ms, join_leave
-- then record and indexes as session_write wants them
-- RETURNS 'revoked' | 'exists' | {'full' or 'owner full', when the first of them may end, unix ms} | {'created', claim}
local function is_full(live, most)
  return redis.call('ZCARD', live) >= tonumber(most)
end

local function first_end(live)
  return redis.call('ZRANGE', live, 0, 0, 'WITHSCORES')[2] or '0'
end

if revoked(K.user, A.auth_session, A.issued_at, A.now_s) then return 'revoked' end
if redis.call('EXISTS', K.session) == 1 then return 'exists' end
if is_full(K.live, A.most) then return { 'full', first_end(K.live) } end
if is_full(K.live_owned, A.most_owned) then return { 'owner full', first_end(K.live_owned) } end
session_write(false)
return { 'created', (channel_publish(A.body)) }

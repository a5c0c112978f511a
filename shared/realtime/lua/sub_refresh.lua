-- sub_refresh: a subscription goes on under a newer token
-- USES realtime/channel, auth/connection, auth/subscriptions
-- KEYS user, channel, lane, log, leases, lanes
-- ARGV channel, lane, owner, birth, history_size, history_ttl_ms, join_leave, conn, session, need, ends
-- RETURNS 'ok' | gone | revoked | expired | waiting | denied | 'own' and the lane to ask for
local now = server_ms()
local record, text = connection_load(K.user, A.conn, A.session, A.need, now)
if not record then return { text } end
local subs = subscriptions_of(text)
local last = subs[A.channel]
if not (last and last[2]) then return { 'denied' } end
if last[3] ~= A.lane then return { 'own', last[3] } end
local held = redis.call('HGET', K.lane, 'm:' .. A.conn)
if not held then return { 'denied' } end
local member = member_of(held)
member.ends, last[4] = A.ends, A.ends
redis.call('HSET', K.lane, 'm:' .. A.conn, member_text(member))
redis.call('HSET', K.user, 's:' .. A.conn, subscriptions_text(subs))
look_when_over(A.ends)
return { 'ok' }

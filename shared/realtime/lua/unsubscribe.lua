-- unsubscribe: a connection leaves a channel, unless a later command holds the place (the server gives none, and wakes
-- the lane itself)
-- USES realtime/joining
-- KEYS user, channel, lane, log, leases, lanes
-- ARGV channel, lane, owner, birth, history_size, history_ttl_ms, join_leave, conn, session, cmd
-- RETURNS 'ok' and the claim | gone | revoked | expired | waiting | stale | 'own' and the lane to ask for
local now = server_ms()
local record, text = connection_load(K.user, A.conn, A.session, '', now)
if not record then return { text } end
local subs = subscriptions_of(text)
local last = subs[A.channel]
if A.cmd == '' and not (last and last[2]) then return { 'stale' } end
local cmd = tonumber(A.cmd) or last[1]
if last and last[1] > cmd then return { 'stale' } end
if last and last[3] ~= A.lane then return { 'own', last[3] } end
remember(subs, A.channel, cmd, false)
redis.call('HSET', K.user, 's:' .. A.conn, subscriptions_text(subs))
if not (last and last[2]) then return { 'ok', false } end

local ch = channel_load(now)
if A.cmd == '' then
  member_out(ch, A.conn)
  channel_save(ch)
  redis.call('ZADD', K.lanes, 'LT', now, lane_name())
  return { 'ok', false }
end
local listened = heard(ch)
if not member_drop(ch, A.conn) or not listened then
  channel_save(ch)
  return { 'ok', false }
end
return { 'ok', try_claim(ch) }

-- subscribe: a connection joins a channel's lane, or joins again under a later command (the server gives none)
-- USES realtime/joining
-- KEYS user, channel, lane, log, leases, lanes
-- ARGV channel, lane, owner, birth, history_size, history_ttl_ms, join_leave, conn, session, need, cmd, kind, lease_ms, lane_size, max_channels, jl, want_epoch, want_offset, info, ends, extra
-- RETURNS 'ok' and the claim | gone | revoked | expired | waiting | denied | stale | full | 'lane' and the one that takes
-- newcomers | 'own' and the connection's
local now = server_ms()
local record, text = connection_load(K.user, A.conn, A.session, A.need, now)
if not record then return { text } end
local subs, live = subscriptions_of(text)
local last = subs[A.channel]
local cmd = tonumber(A.cmd) or (last and last[1] or 0)
if last and last[1] > cmd then return { 'stale' } end
if not (last and last[2]) and live >= tonumber(A.max_channels) then return { 'full' } end

local ch = channel_load(now)
local elsewhere = other_lane(ch, last)
if elsewhere then return elsewhere end
remember(subs, A.channel, cmd, true)
local renewed = renew(K.leases, A.conn, record, now, A.lease_ms)
local written = { 's:' .. A.conn, subscriptions_text(subs) }
if renewed then written[3] = 'c:' .. A.conn; written[4] = record_text(record) end
redis.call('HSET', K.user, unpack(written))

join(ch, A.conn, tostring(cmd), A.kind, last ~= nil)
look_when_over(A.ends)
return { 'ok', try_claim(ch, A.conn) }

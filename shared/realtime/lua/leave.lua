-- leave: takes a connection out of up to 16 channels' lanes, with one leave each, and forgets it after the last
-- USES realtime/channel
-- KEYS user, leases, lanes
-- ARGV conn, last
-- and for each channel: the keys of its hash, lane and log; its name, lane, history_size, history_ttl_ms, join_leave
-- RETURNS for each channel 1 when somebody waits for the leave, else 0
local CHANNEL = { 'e', 's', 'n', 'l', 'kx', 'lx', 'x' }
local LANE = { 'c', 'ce', 'q', 'j', 'w', 'y', 'm:' .. A.conn }
local BOTH = { 'e', 's', 'n', 'l', 'kx', 'lx', 'x', 'c', 'ce', 'q', 'j', 'w', 'm:' .. A.conn }
local told, stalled, now = {}, {}, nil
for i = 4, #KEYS, 3 do
  K.channel, K.lane, K.log = KEYS[i], KEYS[i + 1], KEYS[i + 2]
  local at, fields = 3 + (i - 4) / 3 * 5, {}
  A.channel, A.lane, A.history_size, A.history_ttl_ms, A.join_leave = unpack(ARGV, at, at + 4)
  read_fields(K.lane, K.lane == K.channel and BOTH or LANE, fields)
  if K.lane ~= K.channel then read_fields(K.channel, CHANNEL, fields) end
  local listened = heard({ f = fields })
  if listened then now = now or server_ms() end
  local ch = channel_of(fields, listened and now or 0)
  listened = member_drop(ch, A.conn) and heard(ch)
  told[#told + 1] = listened and 1 or 0
  if listened and overdue(ch) then stalled[#stalled + 1] = fields.w; stalled[#stalled + 1] = lane_name() end
  if fields.e then channel_save(ch) end
end
if #stalled > 0 then redis.call('ZADD', K.lanes, unpack(stalled)) end
if A.last == '1' then
  redis.call('ZREM', K.leases, A.conn)
  redis.call('HDEL', K.user, 'c:' .. A.conn, 's:' .. A.conn, 'm:' .. A.conn)
end
return told

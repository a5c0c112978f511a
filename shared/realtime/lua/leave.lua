-- leave: takes a connection out of up to 16 channels' lanes, with one leave each, and forgets it after the last
-- USES realtime/channel
-- KEYS user, leases, lanes
-- ARGV conn, last
-- and for each channel: the keys of its hash and its log; its name, history_size, history_ttl_ms, join_leave
-- RETURNS for each channel 1 when somebody waits for the leave, else 0
local CH = { 'e', 's', 'n', 'c', 'ce', 'q', 'j', 'w', 'kx', 'lx', 'x', 'm:' .. A.conn }
local told, stalled, now = {}, {}, nil
for i = 4, #KEYS, 2 do
  K.channel, K.log = KEYS[i], KEYS[i + 1]
  local at = 3 + (i - 4) * 2
  A.channel, A.history_size, A.history_ttl_ms, A.join_leave = unpack(ARGV, at, at + 3)
  local values, fields = redis.call('HMGET', K.channel, unpack(CH)), {}
  for j, name in ipairs(CH) do fields[name] = values[j] or nil end
  local listened = tonumber(fields.q or 0) > 0
  if listened then now = now or server_ms() end
  local ch = channel_of(fields, listened and now or 0)
  listened = member_drop(ch, A.conn) and tonumber(fields.q or 0) > 0
  told[#told + 1] = listened and 1 or 0
  if listened and overdue(ch) then stalled[#stalled + 1] = fields.w; stalled[#stalled + 1] = A.channel end
  if fields.e then channel_save(ch) end
end
if #stalled > 0 then redis.call('ZADD', K.lanes, unpack(stalled)) end
if A.last == '1' then
  redis.call('ZREM', K.leases, A.conn)
  redis.call('HDEL', K.user, 'c:' .. A.conn, 's:' .. A.conn, 'm:' .. A.conn)
end
return told

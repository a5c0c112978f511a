-- leave: takes a connection out of up to 16 channels' lanes, with one leave each
-- USES realtime/channel
-- ARGV conn
-- and for each channel: the keys of its hash and its log, the arguments history_size, history_ttl_ms, join_leave
-- RETURNS for each channel 1 when somebody waits for the leave, else 0
local CH = { 'e', 's', 'n', 'q', 'j', 'kx', 'lx', 'x', 'm:' .. A.conn }
local told = {}
for i = 1, #KEYS, 2 do
  K.channel, K.log = KEYS[i], KEYS[i + 1]
  local at = 1 + (i - 1) / 2 * 3
  A.history_size, A.history_ttl_ms, A.join_leave = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local values, fields = redis.call('HMGET', K.channel, unpack(CH)), {}
  for j, name in ipairs(CH) do fields[name] = values[j] or nil end
  local ch = channel_of(fields, tonumber(fields.q or 0) > 0 and server_ms() or 0)
  told[#told + 1] = (member_drop(ch, A.conn) and tonumber(fields.q or 0) > 0) and 1 or 0
  if fields.e then channel_save(ch) end
end
return told

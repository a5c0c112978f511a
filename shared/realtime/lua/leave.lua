-- leave: takes a connection out of up to 16 channels' lanes, with one leave each
-- USES realtime/channel
-- ARGV conn, history_size, history_ttl_ms, join_leave
-- KEYS and further ARGV: channel and log per channel
-- RETURNS for each channel 1 when somebody waits for the leave, else 0
local CH = { 'e', 's', 'n', 'q', 'j', 'kx', 'lx', 'x', 'm:' .. A.conn }
local told, now = {}, server_ms()
for i = 1, #KEYS, 2 do
  K.channel, K.log = KEYS[i], KEYS[i + 1]
  local values, fields = redis.call('HMGET', K.channel, unpack(CH)), {}
  for j, name in ipairs(CH) do fields[name] = values[j] or nil end
  local ch = channel_of(fields, now)
  told[#told + 1] = (member_drop(ch, A.conn) and tonumber(fields.q or 0) > 0) and 1 or 0
  if fields.e then channel_save(ch) end
end
return told

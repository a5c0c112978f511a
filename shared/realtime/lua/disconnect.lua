-- disconnect: takes a connection out of up to 16 channels' lanes, with one leave each, and forgets it with the last
-- USES realtime/channel, auth/connection
-- KEYS user, leases, addresses, lanes
-- ARGV conn, address, subscriptions, last, only_ended, now_ms, back_ms
-- and for each channel: the keys of its hash, lane and log; its name, lane, history_size, history_ttl_ms, join_leave
-- RETURNS 'gone' | 'alive' | 'changed' when it has other subscriptions than those | 'ok' and for each channel 1 when
-- somebody waits for the leave, else 0
-- Before the last its record says gone and its lease ends, so that nothing more is sent to it and a crash is finished
-- by the lease's reaper; with subscriptions '*' that is all.  back_ms: how long others hear nothing of it.  now_ms is
-- the caller's clock, which saves a TIME: it decides when TTLs are renewed, sweep looks and a withheld leave is due.
local CHANNEL = { 'e', 's', 'n', 'l', 'r', 't', 'kx', 'lx' }
local LANE = { 'c', 'ce', 'q', 'j', 'w', 'm:' .. A.conn }
local BOTH = { 'e', 's', 'n', 'l', 'kx', 'lx', 'c', 'ce', 'q', 'j', 'w', 'm:' .. A.conn }
local RELEASED = '1'
local now, told, looks = tonumber(A.now_ms), { 'ok' }, {}

local held = redis.call('HMGET', K.user, 'c:' .. A.conn, 's:' .. A.conn)
if not held[1] then
  -- With a lease, its record is lost, and with that where it is counted; the lease says if it is so still.
  local ends = redis.call('ZSCORE', K.leases, A.conn)
  if ends and ends ~= RELEASED and A.address ~= '' then redis.call('ZINCRBY', K.addresses, -1, A.address) end
  if ends then redis.call('ZREM', K.leases, A.conn) end
  return { 'gone' }
end
if A.only_ended == '1' then
  local ends = redis.call('ZSCORE', K.leases, A.conn)
  if ends and tonumber(ends) > server_ms() then return { 'alive' } end
end
if A.subscriptions ~= '*' and A.subscriptions ~= (held[2] or '') then return { 'changed' } end

for i = 5, #KEYS, 3 do
  K.channel, K.lane, K.log = KEYS[i], KEYS[i + 1], KEYS[i + 2]
  local at, fields = 8 + (i - 5) / 3 * 5, { x = math.huge, y = math.huge }
  A.channel, A.lane, A.history_size, A.history_ttl_ms, A.join_leave = unpack(ARGV, at, at + 4)
  read_fields(K.lane, K.lane == K.channel and BOTH or LANE, fields)
  if K.lane ~= K.channel then read_fields(K.channel, and_count(CHANNEL), fields) end
  local ch = channel_of(fields, now)
  local listened = member_drop(ch, A.conn) and heard(ch)
  told[#told + 1] = listened and 1 or 0
  local look = listened and (A.back_ms ~= '0' and now + A.back_ms or (overdue(ch) and ch.f.w))
  if look then looks[#looks + 1] = look; looks[#looks + 1] = lane_name() end
  if fields.e then channel_save(ch) end
end
if #looks > 0 then redis.call('ZADD', K.lanes, 'LT', unpack(looks)) end

local record = lines(held[1], RECORD)
if record.state ~= 'g' then redis.call('ZINCRBY', K.addresses, -1, record.address) end
if A.last == '1' then
  redis.call('ZREM', K.leases, A.conn)
  redis.call('HDEL', K.user, 'c:' .. A.conn, 's:' .. A.conn, 'm:' .. A.conn)
elseif record.state ~= 'g' then
  record.state = 'g'
  redis.call('ZADD', K.leases, RELEASED, A.conn)
  redis.call('HSET', K.user, 'c:' .. A.conn, record_text(record))
end
return told

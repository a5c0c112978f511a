-- wake: take a lane that has work and no holder; what sweep and deliver call
-- USES realtime/channel
-- KEYS channel, lane, log, leases, lanes
-- ARGV channel, lane, owner, birth, history_size, history_ttl_ms, join_leave
-- RETURNS the claim | 'held' | 'idle'
local now = server_ms()
if redis.call('EXISTS', K.lane) == 0 then
  redis.call('ZREM', K.lanes, lane_name())
  return 'idle'
end
local ch = channel_load(now)
if not take(ch) then return 'held' end
local got = claim(ch)
if not got then
  put(ch, 'w', 0)
  redis.call('ZREM', K.lanes, lane_name())
end
channel_save(ch)
return got or 'idle'

-- wake: take a lane that has work and no holder, and tell the leaves that are due; what sweep and deliver call
-- USES realtime/channel
-- KEYS channel, lane, log, leases, lanes
-- ARGV channel, lane, owner, birth, history_size, history_ttl_ms, join_leave
-- RETURNS the claim | 'held' | 'idle'
local now = server_ms()
if redis.call('EXISTS', K.lane) == 0 then
  redis.call('ZREM', K.lanes, lane_name())
  return 'idle'
end

-- Returns when the next one is due.
local function tell_who_is_not_back(ch)
  for _, one in ipairs(awaited_of(ch)) do
    if one.due > ch.now then return one.due end
    await_no_more(ch, one)
    if heard(ch) then append(ch, 'leave', one.info) end
  end
end

local ch = channel_load(now)
local following = tell_who_is_not_back(ch)
if not take(ch) then
  channel_save(ch)
  return 'held'
end
local got = claim(ch)
if not got then
  put(ch, 'w', following or 0)
  if following then redis.call('ZADD', K.lanes, following, lane_name()) else redis.call('ZREM', K.lanes, lane_name()) end
  look_when_over(first_end(ch))
end
channel_save(ch)
return got or 'idle'

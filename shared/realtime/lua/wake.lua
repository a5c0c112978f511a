-- wake: take a lane that has work and no holder, tell the leaves that are due, and let the newest lane go when it is
-- empty; what sweep and deliver call
-- USES realtime/channel
-- KEYS channel, lane, log, leases, lanes
-- ARGV channel, lane, owner, birth, history_size, history_ttl_ms, join_leave
-- RETURNS the claim | 'held' | 'idle'
local now = server_ms()
if redis.call('EXISTS', K.lane) == 0 and redis.call('HGET', K.channel, 'l') ~= lane_number() then
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

-- When the newest lane may go, being empty: once no holder who vanished can be about to send to whoever was in it.
local function may_go_at(ch)
  if lane_number() == '1' or lane_number() ~= ch.f.l or members(ch) > 0 then return nil end
  return tonumber(ch.f.u or 0) + UNCLEAN_MS
end

-- The one before it may have been empty for longer.
local function go(ch)
  local before = tonumber(ch.f.l) - 1
  redis.call('DEL', K.lane)
  redis.call('ZREM', K.lanes, lane_name())
  redis.call('HDEL', K.channel, 't' .. ch.f.l)
  redis.call('HSET', K.channel, 'l', before, 'r', math.min(before, tonumber(ch.f.r or before)))
  if before > 1 then redis.call('ZADD', K.lanes, 'LT', now, before .. ' ' .. A.channel) end
end

local ch = channel_load(now)
local following = tell_who_is_not_back(ch)
if not take(ch) then
  channel_save(ch)
  return 'held'
end
local got = claim(ch)
if not got then
  local goes = may_go_at(ch)
  if goes and goes <= now then
    go(ch)
    return 'idle'
  end
  following = following or goes
  put(ch, 'w', following or 0)
  if following then redis.call('ZADD', K.lanes, following, lane_name()) else redis.call('ZREM', K.lanes, lane_name()) end
  look_when_over(first_end(ch))
end
channel_save(ch)
return got or 'idle'

-- USES realtime/awaited
-- How many members the lanes have, and which takes newcomers: the first with room, so that those after it can empty.
-- Lane 1's members are counted where they stand.
local function count_further(ch, by)
  if lane_number() == '1' then return end
  count(ch, 't', by)
  count(ch, 't' .. lane_number(), by)
end

-- Somebody leaves; when it was the last one of the newest lane, sweep takes that away (wake.lua).
local function make_room(ch)
  local number = lane_number()
  if tonumber(number) < tonumber(ch.f.r or ch.f.l or 1) then put(ch, 'r', number) end
  if number ~= '1' and number == ch.f.l and ch.f['t' .. number] == '0' then
    redis.call('ZADD', K.lanes, 'LT', ch.now, lane_name())
  end
end

-- This lane had room, and is full: the next one with room takes newcomers, a new one where there is none.
local function open_next(ch, lane_size)
  local held, names, following, newest = {}, {}, lane_number() + 1, tonumber(ch.f.l or 1)
  for i = following, newest do names[#names + 1] = 't' .. i end
  read_fields(K.channel, names, held)
  while following <= newest and tonumber(held['t' .. following] or 0) >= lane_size do following = following + 1 end
  put(ch, 'l', math.max(newest, following))
  put(ch, 'r', following)
end

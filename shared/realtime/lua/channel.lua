-- USES realtime/claim
-- What a script of any layer calls to change a channel: load, append, try the lane's lease, claim, save.
-- A claim, false, or 'busy': somebody holds the lane, and one wake after his lease makes sure that he did not die.
local function try_claim(ch, sure)
  local got = take(ch)
  if got then
    got = claim(ch, sure)
  elseif tonumber(ch.f.b or 0) < ch.now then
    put(ch, 'b', ch.now + LEASE_MS)
    got = 'busy'
  end
  channel_save(ch)
  return got
end

local function members(ch)
  local found = 0
  for field in pairs(ch.f) do
    if string.sub(field, 1, 2) == 'm:' then found = found + 1 end
  end
  return found
end

-- What lane 1's holder has to do and, if something is left to others, how many lanes there are and how many members
-- it concerns: those of further lanes (the publisher's messages wake them, and sweep where those are lost), and those
-- of a lane 1 that somebody else holds.
local function with_what_is_left(ch, got)
  local due, left = {}, tonumber(ch.f.t or 0)
  if type(got) ~= 'table' and ch.f.o ~= '' then left = left + members(ch) end
  if single(ch) and left == 0 then return got end
  for number = 2, tonumber(ch.f.l or 1) do
    due[#due + 1] = ch.now + LEASE_MS; due[#due + 1] = number .. ' ' .. A.channel
  end
  in_parts(due, function(...) redis.call('ZADD', K.lanes, 'LT', ...) end)
  return { 'left', ch.f.l or 1, left, got }
end

local function claim_published(ch)
  return with_what_is_left(ch, try_claim(ch))
end

-- Returns the claim (or false), the offset and the epoch.
local function channel_publish(body)
  local ch = channel_load(server_ms())
  append(ch, 'pub', body)
  return claim_published(ch), ch.s, ch.f.e
end

-- For events that go to two channels: the second one's keys and name end in 2.
local function channel_publish_second(body)
  K.channel, K.log, A.channel = K.channel2, K.log2, A.channel2
  return channel_publish(body)
end

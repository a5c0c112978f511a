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

-- What lane 1's holder has to do, and that further lanes have something to do, too: the publisher's messages wake
-- them, and sweep where those are lost.
local function with_further_lanes(ch, got)
  if single(ch) then return got end
  local due = {}
  for number = 2, tonumber(ch.f.l) do
    due[#due + 1] = ch.now + LEASE_MS; due[#due + 1] = number .. ' ' .. A.channel
  end
  in_parts(due, function(...) redis.call('ZADD', K.lanes, 'LT', ...) end)
  return { 'lanes', ch.f.l, got }
end

local function claim_published(ch)
  return with_further_lanes(ch, try_claim(ch))
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

-- USES realtime/entries
-- The holder of a lane's lease is the only one that sends anything of the channel to the lane's members.  A claim is
-- what the holder has to send: the entries after the cursor, and who gets them from where (DESIGN §6.4).
local LEASE_MS, UNCLEAN_MS, RECOVER_MAX, JOINING_MAX = 10000, 900000, 300, 1000
local SILENT_ABOVE = 500

local function take(ch)
  local owner = ch.f.o or ''
  if owner ~= '' then
    if ch.now < tonumber(ch.f.d) then return false end
    put(ch, 'u', ch.now)
  end
  put(ch, 'o', A.owner)
  return true
end

-- Sweep finds by `lanes` what a dead holder left; one entry serves all the claims until it is due.
local function overdue(ch)
  if tonumber(ch.f.w or 0) >= ch.now then return false end
  put(ch, 'w', ch.now + LEASE_MS)
  return true
end

local function watch(ch)
  put(ch, 'd', ch.now + LEASE_MS)
  if overdue(ch) then redis.call('ZADD', K.lanes, ch.f.w, lane_name()) end
end

-- Also when the token of a member is over, so that it is told although nothing else happens here.
local function look_when_over(ends)
  if ends ~= '' then redis.call('ZADD', K.lanes, 'LT', ends, lane_name()) end
end

local function release(ch)
  put(ch, 'o', '')
end

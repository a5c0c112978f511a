-- USES realtime/channel, auth/connection, auth/subscriptions
-- What connect and subscribe share: the connection's subscription and the lane's member.
local KEPT_TOMBSTONES, MOST, RACE_WINDOW = 300, 500, 200

-- A connection remembers the last command of each channel, so that frames that race cannot undo a later one; what
-- is too old to race is forgotten; with far too many, all of them.
local function remember(subs, channel, cmd, on)
  local size = 0
  for _ in pairs(subs) do size = size + 1 end
  for name, sub in pairs(subs) do
    if not sub[2] and (size > MOST or (size > KEPT_TOMBSTONES and sub[1] < cmd - RACE_WINDOW)) then
      subs[name] = nil
    end
  end
  subs[channel] = { cmd, on, lane_number(), on and A.ends or '' }
end

-- Which lane the connection belongs in: where it ever was (the holder there may be about to send to it; where the lane
-- went, nobody is), else the one that takes newcomers; nil when this is it.
local function other_lane(ch, last)
  local newest, number = ch.f.l or '1', lane_number()
  if last and tonumber(last[3]) <= tonumber(newest) then return last[3] ~= number and { 'own', last[3] } or nil end
  local roomy = ch.f.r or newest
  if roomy ~= number then return { 'lane', roomy } end
  if members(ch) < tonumber(A.lane_size) then return nil end
  open_next(ch, tonumber(A.lane_size))
  channel_save(ch)
  return { 'lane', ch.f.r }
end

-- Creates or replaces the member as joining; a new one announces itself first, so it does not see its own join.
local function join(ch, conn, cmd, kind, rejoin)
  local known = string.sub(ch.f['m:' .. conn] or 'o', 1, 1) ~= 'o'
  if not known and not came_back(ch, A.info) and heard(ch) then append(ch, 'join', A.info) end
  member_put(ch, conn, { st = 'j', cmd = cmd, jl = A.jl, epoch = '', at = '', info = A.info,
    ends = A.ends or '', kind = kind,
    rejoin = (known or rejoin) and '1' or '0', want_epoch = A.want_epoch, want_offset = A.want_offset,
    recovered = '0', extra = A.extra, by = A.cmd == '' and A.owner or '' })
end

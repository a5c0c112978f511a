-- USES realtime/log
-- A channel's hash, its lanes' hashes and its log.  Lane 1 lives in the channel's hash, so that one read serves both.
-- Times are unix ms by the server's clock.
-- Of the channel: v schema version, e epoch, s top offset, n ephemeral entries since, lx history's end, kx the log key's
-- end, x the hash's end, l how many lanes, r the first with room, t members of further lanes, t<n> those of lane n, hr
-- the offset up to which history was removed and ht until when that is kept for whom it is on its way to, pv and pe the
-- last version published and its epoch.
-- Of a lane: j members joining or out, q members and awaited ones that want join and leave, w when `lanes` will look again,
-- b until when a wake is on its way, c cursor, ce its epoch, o owner, d deadline, u last unclean takeover, y the hash's
-- end, m:<connection> members, h:<connection> awaited (awaited.lua).
local META, OF_CHANNEL = { 'v', 'e', 's', 'n', 'lx', 'kx', 'x', 'l', 'r', 't', 'hr' }, {}
for _, name in ipairs(META) do OF_CHANNEL[name] = true end

-- Scripts that know of one lane only name none.
local function lane_key() return K.lane or K.channel end

local function lane_number() return A.lane or '1' end

-- How sweep, the queue and `lanes` call a lane.
local function lane_name()
  return lane_number() == '1' and A.channel or lane_number() .. ' ' .. A.channel
end

-- `names` of a channel's fields, and the one that counts this lane's members.
local function and_count(names)
  local all = { unpack(names) }
  all[#all + 1] = 't' .. lane_number()
  return all
end

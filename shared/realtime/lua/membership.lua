-- USES realtime/crowd, realtime/member
-- Who comes and goes, and how the lane counts that.
local function member_put(ch, conn, member)
  local before = member_of(ch.f['m:' .. conn] or '')
  if not ch.f['m:' .. conn] then count_further(ch, 1) end
  if waits(before) then count(ch, 'j', -1) end
  if before.jl == '1' then count(ch, 'q', -1) end
  if member.jl == '1' then count(ch, 'q', 1) end
  if waits(member) then count(ch, 'j', 1) end
  put(ch, 'm:' .. conn, member_text(member))
end

-- A channel that outgrew one lane tells nobody's coming and going.
local function heard(ch)
  return A.join_leave == '1' and single(ch) and tonumber(ch.f.q or 0) > 0
end

-- Removes (only that membership, if one is named); the leave goes with it.
local function member_drop(ch, conn, only)
  local text = ch.f['m:' .. conn]
  if not text then return false end
  local member = member_of(text)
  if only and which(member) ~= only then return false end
  ch.f['m:' .. conn], ch.dirty['m:' .. conn] = nil, nil
  ch.drop[#ch.drop + 1] = 'm:' .. conn
  count_further(ch, -1)
  make_room(ch)
  if waits(member) then count(ch, 'j', -1) end
  if member.st == 'o' then return false end
  if tonumber(A.back_ms or 0) > 0 and heard(ch) then
    await(ch, conn, member)
    return true
  end
  if member.jl == '1' then count(ch, 'q', -1) end
  if heard(ch) then append(ch, 'leave', member.info) end
  return true
end

-- No member any more, but its client is told so only after what is on its way to it.
local function member_out(ch, conn)
  local text = ch.f['m:' .. conn]
  if not text then return end
  local member = member_of(text)
  member_drop(ch, conn)
  member_put(ch, conn, { st = 'o', cmd = member.cmd, jl = '0', epoch = '', at = '', info = member.info, ends = '' })
end

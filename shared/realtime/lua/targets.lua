-- USES realtime/lane
-- Who is served by a claim, and with what.
local function recovers(ch, entries, complete, member, hi)
  if member.want_offset == '' or member.want_epoch ~= ch.f.e then return '0' end
  local want, at = tonumber(member.want_offset), parse_id(hi)
  local kept = want == ch.s or (want < ch.s and ch.now < tonumber(ch.f.lx or 0))
  local near = want <= at and at - want <= RECOVER_MAX
  local shown = want >= tonumber(ch.f.hr or 0)
  return (shown and kept and near and whole(ch, entries, complete, want .. '-0')) and '1' or '0'
end

local function ahead_of(ch, member, hi)
  local want, at = tonumber(member.want_offset or ''), parse_id(hi)
  return want and member.want_epoch == ch.f.e and at < want and want <= ch.s
end

local function joining_target(ch, entries, complete, conn, member, hi)
  if member.rejoin == '1' and ch.now - tonumber(ch.f.u or 0) < UNCLEAN_MS then
    return { conn, which(member), 'close' }
  end
  if over(member, ch.now) then return { conn, which(member), 'expired' } end
  if member.at == '' then
    if ahead_of(ch, member, hi) then return nil end
    member.at, member.epoch = hi, ch.f.e
    member.recovered = recovers(ch, entries, complete, member, hi)
    put(ch, 'm:' .. conn, member_text(member))
  end
  local broken = member.epoch ~= ch.f.e or not whole(ch, entries, complete, member.at)
  local recovered = member.recovered
  if recovered == '1' and not (member.epoch == ch.f.e and whole(ch, entries, complete, member.want_offset .. '-0')) then
    recovered, broken = '0', true
  end
  return { conn, which(member), broken and 'reply+2500' or 'reply', member.kind, member.epoch, member.at, recovered,
    member.want_offset, member.want_epoch, member.extra, member.jl }
end

local function live_target(ch, entries, complete, conn, member, cursor, hi)
  if over(member, ch.now) then return { conn, which(member), '2501' } end
  local from = (member.epoch == ch.f.e and after(member.at, cursor)) and member.at or cursor
  if member.epoch ~= ch.f.e or not whole(ch, entries, complete, from) then return { conn, which(member), '2500' } end
  if not after(hi, from) then return nil end
  return { conn, which(member), 'live', from, member.jl }
end

-- The oldest id that somebody needs entries after.
local function needed_from(ch, members, cursor)
  local from = cursor
  for _, member in pairs(members) do
    local want = member.st == 'j' and member.want_epoch == ch.f.e and tonumber(member.want_offset)
    if want and want < ch.s and after(from, want .. '-0') and ch.s - want <= RECOVER_MAX + BATCH then
      from = want .. '-0'
    end
  end
  return from
end

local function members_of(ch)
  local members, joining, listening, all = {}, 0, 0, 0
  for field, text in pairs(ch.f) do
    if string.sub(field, 1, 2) == 'm:' then
      local member = member_of(text)
      members[string.sub(field, 3)], all = member, all + 1
      if waits(member) then joining = joining + 1 end
      if member.jl == '1' then listening = listening + 1 end
    elseif string.sub(field, 1, 2) == 'h:' and awaited_one(field, text).listens then
      listening = listening + 1
    end
  end
  if lane_number() ~= '1' then put(ch, 't' .. lane_number(), all) end
  put(ch, 'j', joining)
  put(ch, 'q', all > SILENT_ABOVE and 0 or listening)
  return members, joining
end

-- USES realtime/crowd
-- A member of a lane, as text with one field a line.
-- joining: j, cmd, jl, epoch, at, info, kind, rejoin, want_epoch, want_offset, recovered, extra, ends, by
-- live:    l, cmd, jl, epoch, start, info, ends
-- `at`/`start` are log ids; jl = wants join and leave; ends = when its token and the grace are over (unix ms, empty:
-- never); kind = c (connect), s (subscribe), g (subscribe, error 112 when unrecoverable) or p (subscribed by the
-- server); extra goes into the reply; by = which of the server's subscriptions this is, for they have no command, and
-- one that is not told yet could be taken for the one before.
local JOINING = { 'st', 'cmd', 'jl', 'epoch', 'at', 'info', 'kind', 'rejoin', 'want_epoch', 'want_offset', 'recovered',
  'extra', 'ends', 'by' }
local LIVE = { 'st', 'cmd', 'jl', 'epoch', 'at', 'info', 'ends' }

local function fields_of(state) return state == 'l' and LIVE or JOINING end

local function member_of(text)
  local member, names = {}, fields_of(string.sub(text, 1, 1))
  for i, part in ipairs(split(text)) do member[names[i] or i] = part end
  return member
end

local function member_text(member)
  local parts = {}
  for i, name in ipairs(fields_of(member.st)) do parts[i] = member[name] or '' end
  return table.concat(parts, '\n')
end

-- What a claim and its report call a membership, so that a later one of the same connection is not taken for it.
local function which(member)
  return (member.by or '') == '' and member.cmd or member.cmd .. ' ' .. member.by
end

local function over(member, now)
  return (member.ends or '') ~= '' and tonumber(member.ends) <= now
end

local function first_end(ch)
  local first = ''
  for field, text in pairs(ch.f) do
    local ends = string.sub(field, 1, 2) == 'm:' and member_of(text).ends or ''
    if ends ~= '' and (first == '' or tonumber(ends) < tonumber(first)) then first = ends end
  end
  return first
end

local function member_put(ch, conn, member)
  local before = member_of(ch.f['m:' .. conn] or '')
  if not ch.f['m:' .. conn] then count_further(ch, 1) end
  if before.st == 'j' then count(ch, 'j', -1) end
  if before.jl == '1' then count(ch, 'q', -1) end
  if member.jl == '1' then count(ch, 'q', 1) end
  if member.st == 'j' then count(ch, 'j', 1) end
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
  if member.st == 'j' then count(ch, 'j', -1) end
  if tonumber(A.back_ms or 0) > 0 and heard(ch) then
    await(ch, conn, member)
    return true
  end
  if member.jl == '1' then count(ch, 'q', -1) end
  if heard(ch) then append(ch, 'leave', member.info) end
  return true
end

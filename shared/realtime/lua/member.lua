-- USES realtime/awaited
-- A member of a lane, as text with one field a line.
-- joining: j, cmd, jl, epoch, at, info, ends, kind, rejoin, want_epoch, want_offset, recovered, extra
-- live:    l, cmd, jl, epoch, start, info, ends
-- `at`/`start` are log ids; jl = wants join and leave; ends = when its token and the grace are over (unix ms, empty:
-- never); kind = c (connect), s (subscribe), g (subscribe, error 112 when unrecoverable) or p (subscribed by the
-- server); extra goes into the reply.
local FIELDS = { 'st', 'cmd', 'jl', 'epoch', 'at', 'info', 'ends', 'kind', 'rejoin', 'want_epoch', 'want_offset',
  'recovered', 'extra' }

local function member_of(text)
  local member = {}
  for i, part in ipairs(split(text)) do member[FIELDS[i] or i] = part end
  return member
end

local function member_text(member)
  local parts = {}
  for i = 1, member.st == 'l' and 7 or #FIELDS do parts[i] = member[FIELDS[i]] or '' end
  return table.concat(parts, '\n')
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

local function count(ch, field, by)
  put(ch, field, math.max(0, tonumber(ch.f[field] or 0) + by))
end

local function member_put(ch, conn, member)
  local before = ch.f['m:' .. conn]
  if before and string.sub(before, 1, 1) == 'j' then count(ch, 'j', -1) end
  if not before and member.jl == '1' then count(ch, 'q', 1) end
  if member.st == 'j' then count(ch, 'j', 1) end
  put(ch, 'm:' .. conn, member_text(member))
end

-- A channel that outgrew one lane tells nobody's coming and going.
local function heard(ch)
  return A.join_leave == '1' and single(ch) and tonumber(ch.f.q or 0) > 0
end

local function leave(ch, conn, info)
  if tonumber(A.back_ms or 0) > 0 then await(ch, conn, info, ch.now + A.back_ms) else append(ch, 'leave', info) end
end

-- Removes unless a later command took the place; the leave goes with it.
local function member_drop(ch, conn, upto_cmd)
  local text = ch.f['m:' .. conn]
  if not text then return false end
  local member = member_of(text)
  if upto_cmd and tonumber(member.cmd) > tonumber(upto_cmd) then return false end
  ch.f['m:' .. conn], ch.dirty['m:' .. conn] = nil, nil
  ch.drop[#ch.drop + 1] = 'm:' .. conn
  if member.st == 'j' then count(ch, 'j', -1) end
  if member.jl == '1' then count(ch, 'q', -1) end
  if heard(ch) then leave(ch, conn, member.info) end
  return true
end

-- USES realtime/log
-- A member of a lane, as text with one field a line.
-- joining: j, cmd, jl, epoch, at, info, kind, rejoin, want_epoch, want_offset, recovered, extra, ends, by
-- live, or out (o: taken out by the server, to be told so and no member any more): l, cmd, jl, epoch, start, info, ends
-- `at`/`start` are log ids; jl = wants join and leave; ends = when its token and the grace are over (unix ms, empty:
-- never); kind = c (connect), s (subscribe), g (subscribe, error 112 when unrecoverable) or p (subscribed by the
-- server); extra goes into the reply; by = which of the server's subscriptions this is, for they have no command, and
-- one that is not told yet could be taken for the one before.
local JOINING = { 'st', 'cmd', 'jl', 'epoch', 'at', 'info', 'kind', 'rejoin', 'want_epoch', 'want_offset', 'recovered',
  'extra', 'ends', 'by' }
local LIVE = { 'st', 'cmd', 'jl', 'epoch', 'at', 'info', 'ends' }

local function fields_of(state) return state == 'j' and JOINING or LIVE end

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
  local by = member.st == 'o' and 'o' or member.by or ''
  return by == '' and member.cmd or member.cmd .. ' ' .. by
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

-- Whether the next claim has something for it in any case.
local function waits(member) return member.st == 'j' or member.st == 'o' end

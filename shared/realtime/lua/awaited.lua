-- USES realtime/append
-- Who was asked to come again is awaited for a while before his leave is told, and not told at all if his user is
-- back by then; for that long he still counts as present and, if he wants join and leave, as a listener: he must not
-- hear anybody join whose leave he missed.  h:<connection>, in the channel's hash, holds when the leave is due, his
-- info, and whether he listens, one a line.
local function count(ch, field, by)
  put(ch, field, math.max(0, tonumber(ch.f[field] or 0) + by))
end

local function awaited_one(field, text)
  local parts = split(text)
  return { conn = string.sub(field, 3), due = tonumber(parts[1]), info = parts[2], listens = parts[3] == '1' }
end

local function awaited_of(ch)
  local found = {}
  for field, text in pairs(ch.f) do
    if string.sub(field, 1, 2) == 'h:' then found[#found + 1] = awaited_one(field, text) end
  end
  table.sort(found, function(a, b) return a.due < b.due or (a.due == b.due and a.conn < b.conn) end)
  return found
end

-- A member that listens goes on being counted.
local function await(ch, conn, member)
  put(ch, 'h:' .. conn, table.concat({ ch.now + A.back_ms, member.info, member.jl }, '\n'))
end

local function await_no_more(ch, one)
  ch.f['h:' .. one.conn], ch.dirty['h:' .. one.conn] = nil, nil
  ch.drop[#ch.drop + 1] = 'h:' .. one.conn
  if one.listens then count(ch, 'q', -1) end
end

-- True when this user was awaited: that he comes is no news then.
local function came_back(ch, info)
  for _, one in ipairs(awaited_of(ch)) do
    if cjson.decode(one.info).user == cjson.decode(info).user then
      await_no_more(ch, one)
      return true
    end
  end
  return false
end

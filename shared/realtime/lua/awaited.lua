-- USES realtime/append
-- Who was asked to come again is awaited for a while before his leave is told, and not told at all if his user is
-- back by then; for that long he still counts as present.  h:<connection>, in the channel's hash, holds when the
-- leave is due and his info, one a line.
local function awaited_of(ch)
  local found = {}
  for field, text in pairs(ch.f) do
    if string.sub(field, 1, 2) == 'h:' then
      local parts = split(text)
      found[#found + 1] = { conn = string.sub(field, 3), due = tonumber(parts[1]), info = parts[2] }
    end
  end
  table.sort(found, function(a, b) return a.due < b.due or (a.due == b.due and a.conn < b.conn) end)
  return found
end

local function await(ch, conn, info, due)
  put(ch, 'h:' .. conn, due .. '\n' .. info)
end

local function await_no_more(ch, conn)
  ch.f['h:' .. conn], ch.dirty['h:' .. conn] = nil, nil
  ch.drop[#ch.drop + 1] = 'h:' .. conn
end

-- True when this user was awaited: that he comes is no news then.
local function came_back(ch, info)
  for _, one in ipairs(awaited_of(ch)) do
    if cjson.decode(one.info).user == cjson.decode(info).user then
      await_no_more(ch, one.conn)
      return true
    end
  end
  return false
end

-- USES realtime/membership
-- The log as a lane's holder reads it: in batches after the cursor, and back to where somebody wants to recover from.
local BATCH, BATCH_BYTES, READ, PAGES = 100, 90000, 700, 8

-- The same few ids are compared for each member.
local parsed = {}

local function parse_id(id)
  local known = parsed[id]
  if not known then
    local offset, n = string.match(id, '^(%d+)-(%d+)$')
    known = { tonumber(offset), tonumber(n) }
    parsed[id] = known
  end
  return known[1], known[2]
end

local function after(a, b)
  local ao, an = parse_id(a)
  local bo, bn = parse_id(b)
  return ao > bo or (ao == bo and an > bn)
end

-- Entries after `from`, of the ephemeral ones only those after the cursor; at least a batch after the cursor, or
-- nothing older than it.  `complete` is false when the log holds more than was read.
local function read(ch, from, cursor)
  if not after(top_id(ch), from) then return {}, true end
  local entries, last, ahead, pages, raw = {}, from, 0, 0, nil
  repeat
    raw = redis.call('XRANGE', K.log, '(' .. last, '+', 'COUNT', READ)
    for _, got in ipairs(raw) do
      local entry = { id = got[1], kind = got[2][1], body = got[2][2], offset = parse_id(got[1]) }
      local new = after(entry.id, cursor)
      if new then ahead = ahead + 1 end
      if new or entry.kind == 'pub' then entries[#entries + 1] = entry end
      last = entry.id
    end
    pages = pages + 1
  until #raw < READ or ahead >= BATCH or pages == PAGES
  if #raw == READ and ahead == 0 then return read(ch, cursor, cursor) end
  return entries, #raw < READ
end

-- Is the next publication after `id` still in the log?
local function whole(ch, entries, complete, id)
  local offset = parse_id(id)
  if offset >= ch.s then return true end
  for _, entry in ipairs(entries) do
    if entry.kind == 'pub' and entry.offset > offset then return entry.offset == offset + 1 end
  end
  return not complete
end

local function batch_end(ch, entries, complete, cursor)
  local hi, taken, bytes = cursor, 0, 0
  for _, entry in ipairs(entries) do
    if after(entry.id, cursor) then
      if taken > 0 and (taken >= BATCH or bytes + #entry.body > BATCH_BYTES) then return hi end
      hi, taken, bytes = entry.id, taken + 1, bytes + #entry.body
    end
  end
  return complete and top_id(ch) or hi
end

local function flat(entries, hi)
  local out = {}
  for _, entry in ipairs(entries) do
    if after(entry.id, hi) then break end
    out[#out + 1] = entry.id; out[#out + 1] = entry.kind; out[#out + 1] = entry.body
  end
  return out
end

-- USES realtime/hash
-- How an entry gets into the log.
local EPHEMERAL_MS, EPHEMERAL_MAX, BACKLOG = 60000, 1000, 2000

local function keep_log(ch, ttl_ms)
  if tonumber(ch.f.kx or 0) < ch.now + ttl_ms then
    put(ch, 'kx', math.floor(ch.now + ttl_ms * 1.5))
    redis.call('PEXPIRE', K.log, math.floor(ttl_ms * 1.5))
  end
end

-- Where the log begins: with what history shows, or before, with what may still be on its way to somebody.  In one lane
-- that is what the cursor has not passed; in several, anything, and of what was removed from history anything for a while.
local function beginning(ch)
  local offset, n = ch.s - A.history_size + 1, 0
  local oldest = math.max(0, ch.s - math.max(BACKLOG, tonumber(A.history_size)) + 1)
  if single(ch) and ch.f.c then
    local passed, k = string.match(ch.f.c, '^(%d+)-(%d+)$')
    if tonumber(passed) < offset then offset, n = tonumber(passed), k + 1 end
  else
    offset = 0
  end
  if ch.now >= tonumber(ch.f.ht or math.huge) then oldest = math.max(oldest, math.min(ch.s, ch.f.hr + 1)) end
  return offset < oldest and oldest .. '-0' or offset .. '-' .. n
end

-- Ephemeral entries behind the cursor are of no use to anybody, and would have to be read through.
local function forget_passed(ch)
  if not single(ch) or ch.n == 0 or ch.f.c ~= top_id(ch) or ch.f.ce ~= ch.f.e then return end
  local ids = {}
  for n = math.max(1, ch.n - EPHEMERAL_MAX), ch.n do ids[#ids + 1] = ch.s .. '-' .. n end
  in_parts(ids, function(...) redis.call('XDEL', K.log, ...) end)
end

-- kind: pub, or join, leave and msg, which are ephemeral; only a pub moves the offset.
local function append(ch, kind, body)
  if kind == 'pub' then forget_passed(ch) end
  if kind == 'pub' then ch.s = ch.s + 1; ch.n = 0 else ch.n = ch.n + 1 end
  put(ch, 's', ch.s); put(ch, 'n', ch.n)
  redis.call('XADD', K.log, 'MINID', '=', beginning(ch), top_id(ch), kind, body)
  if kind == 'pub' then
    put(ch, 'lx', ch.now + A.history_ttl_ms)
    keep_log(ch, math.max(EPHEMERAL_MS, tonumber(A.history_ttl_ms)))
  else
    keep_log(ch, EPHEMERAL_MS)
    if ch.n > EPHEMERAL_MAX then redis.call('XDEL', K.log, ch.s .. '-' .. (ch.n - EPHEMERAL_MAX)) end
  end
end

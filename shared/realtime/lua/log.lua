-- A channel's hash and its log.  Hash fields: e epoch, s top offset, n ephemeral entries since, lx history's end,
-- kx the log key's end, x the hash's end, j members joining, q members that want join and leave, w when `lanes` will
-- look again, and lane 1: c cursor, ce its epoch, o owner, d deadline, u last unclean takeover, m:<connection> members.
-- Times are unix ms by the server's clock.
local IDLE_MS, META_MS, EPHEMERAL_MS, EPHEMERAL_MAX = 18000000, 2592000000, 60000, 1000

local function server_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function split(text)
  local parts = {}
  for part in string.gmatch(text .. '\n', '(.-)\n') do parts[#parts + 1] = part end
  return parts
end

local function channel_of(fields, now)
  local ch = { f = fields, now = now, dirty = {}, drop = {} }
  ch.s, ch.n = tonumber(fields.s or 0), tonumber(fields.n or 0)
  return ch
end

local function put(ch, field, value)
  value = tostring(value)
  if ch.f[field] ~= value then ch.f[field] = value; ch.dirty[field] = value end
end

-- A new epoch is born where the hash is new: what an older log still holds belongs to nobody.
local function born(ch)
  if not ch.f.e then
    redis.call('DEL', K.log)
    put(ch, 'e', A.birth)
  end
  return ch
end

local function channel_load(now)
  local flat, fields = redis.call('HGETALL', K.channel), {}
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  return born(channel_of(fields, now))
end

local function top_id(ch)
  return ch.s .. '-' .. ch.n
end

local function channel_save(ch)
  local life = ch.s > 0 and META_MS or IDLE_MS
  if tonumber(ch.f.x or 0) < ch.now + life / 2 then
    put(ch, 'x', ch.now + life)
    ch.expire = life
  end
  local flat = {}
  for field, value in pairs(ch.dirty) do flat[#flat + 1] = field; flat[#flat + 1] = value end
  if #ch.drop > 0 then redis.call('HDEL', K.channel, unpack(ch.drop)) end
  if #flat > 0 then redis.call('HSET', K.channel, unpack(flat)) end
  if ch.expire then redis.call('PEXPIRE', K.channel, life) end
  ch.dirty, ch.drop, ch.expire = {}, {}, nil
end

local function keep_log(ch, ttl_ms)
  if tonumber(ch.f.kx or 0) < ch.now + ttl_ms then
    put(ch, 'kx', math.floor(ch.now + ttl_ms * 1.5))
    redis.call('PEXPIRE', K.log, math.floor(ttl_ms * 1.5))
  end
end

-- kind: pub, join or leave; only a pub moves the offset.
local function append(ch, kind, body)
  if kind == 'pub' then ch.s = ch.s + 1; ch.n = 0 else ch.n = ch.n + 1 end
  put(ch, 's', ch.s); put(ch, 'n', ch.n)
  local oldest = math.max(0, ch.s - tonumber(A.history_size) + 1)
  redis.call('XADD', K.log, 'MINID', '=', oldest .. '-0', top_id(ch), kind, body)
  if kind == 'pub' then
    put(ch, 'lx', ch.now + A.history_ttl_ms)
    keep_log(ch, tonumber(A.history_ttl_ms))
  else
    keep_log(ch, EPHEMERAL_MS)
    if ch.n > EPHEMERAL_MAX then redis.call('XDEL', K.log, ch.s .. '-' .. (ch.n - EPHEMERAL_MAX)) end
  end
end

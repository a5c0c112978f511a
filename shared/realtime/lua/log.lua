-- A channel's hash and its log.  Hash fields: e epoch, s top offset, n ephemeral entries since, lx history's end,
-- kx the log key's end, x the hash's end, j members joining, q members that want join and leave, w when `lanes` will
-- look again, b until when a wake is on its way, and lane 1: c cursor, ce its epoch, o owner, d deadline, u last unclean
-- takeover, m:<connection> members.
-- Times are unix ms by the server's clock.
local IDLE_MS, META_MS = 18000000, 2592000000

-- Lua passes only some thousand arguments at once.
local function in_parts(list, work)
  for i = 1, #list, 3000 do work(unpack(list, i, math.min(i + 2999, #list))) end
end

local function lease_ends(conns)
  local ends = {}
  in_parts(conns, function(...)
    for _, at in ipairs(redis.call('ZMSCORE', K.leases, ...)) do ends[#ends + 1] = at end
  end)
  return ends
end

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
  in_parts(ch.drop, function(...) redis.call('HDEL', K.channel, ...) end)
  in_parts(flat, function(...) redis.call('HSET', K.channel, ...) end)
  if ch.expire then redis.call('PEXPIRE', K.channel, life) end
  ch.dirty, ch.drop, ch.expire = {}, {}, nil
end

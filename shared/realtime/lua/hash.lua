-- USES realtime/log
-- A channel's hash, its lanes' hashes and its log.  Lane 1 lives in the channel's hash, so that one read serves both.
-- Times are unix ms by the server's clock.
-- Of the channel: v schema version, e epoch, s top offset, n ephemeral entries since, lx history's end, kx the log key's
-- end, x the hash's end, l how many lanes, t members of further lanes, hr the offset up to which history was removed and
-- ht until when that is kept for whom it is on its way to, pv and pe the last version published and its epoch.
-- Of a lane: j members joining, q members and awaited ones that want join and leave, w when `lanes` will look again,
-- b until when a wake is on its way, c cursor, ce its epoch, o owner, d deadline, u last unclean takeover, y the hash's
-- end, m:<connection> members, h:<connection> awaited (awaited.lua).
local IDLE_MS, META_MS = 18000000, 2592000000
local META, OF_CHANNEL = { 'v', 'e', 's', 'n', 'lx', 'kx', 'x', 'l', 't', 'hr' }, {}
for _, name in ipairs(META) do OF_CHANNEL[name] = true end

-- Scripts that know of one lane only name none.
local function lane_key() return K.lane or K.channel end

local function lane_number() return A.lane or '1' end

local function channel_of(fields, now)
  local ch = { f = fields, now = now, dirty = {}, drop = {} }
  ch.s, ch.n = tonumber(fields.s or 0), tonumber(fields.n or 0)
  return ch
end

local function put(ch, field, value)
  value = tostring(value)
  if ch.f[field] ~= value then ch.f[field] = value; ch.dirty[field] = value end
end

-- A new epoch is born where the hash is new or cannot be read: what the log still holds belongs to nobody.
local function born(ch)
  if not readable(ch.f.v) or not ch.f.e then
    redis.call('DEL', K.log)
    put(ch, 'e', A.birth)
  end
  put(ch, 'v', SCHEMA)
  return ch
end

local function channel_load(now)
  local flat, fields = redis.call('HGETALL', lane_key()), {}
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  if lane_key() ~= K.channel then read_fields(K.channel, META, fields) end
  return born(channel_of(fields, now))
end

local function single(ch)
  return tonumber(ch.f.l or 1) == 1
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
  local apart = lane_key() ~= K.channel
  local meta, lane = {}, {}
  if apart and tonumber(ch.f.y or 0) < ch.now + IDLE_MS / 2 then put(ch, 'y', ch.now + IDLE_MS); ch.lane_expire = true end
  for field, value in pairs(ch.dirty) do
    local into = apart and OF_CHANNEL[field] and meta or lane
    into[#into + 1] = field; into[#into + 1] = value
  end
  in_parts(ch.drop, function(...) redis.call('HDEL', lane_key(), ...) end)
  in_parts(lane, function(...) redis.call('HSET', lane_key(), ...) end)
  in_parts(meta, function(...) redis.call('HSET', K.channel, ...) end)
  if ch.expire then redis.call('PEXPIRE', K.channel, life) end
  if ch.lane_expire then redis.call('PEXPIRE', lane_key(), IDLE_MS) end
  ch.dirty, ch.drop, ch.expire, ch.lane_expire = {}, {}, nil, nil
end

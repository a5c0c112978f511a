-- USES realtime/fields
-- How the hashes are read, changed and written back; what was not touched is not written.
local IDLE_MS, META_MS = 18000000, 2592000000

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
  if lane_key() ~= K.channel then read_fields(K.channel, and_count(META), fields) end
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
    local into = apart and (OF_CHANNEL[field] or string.find(field, '^t%d')) and meta or lane
    into[#into + 1] = field; into[#into + 1] = value
  end
  in_parts(ch.drop, function(...) redis.call('HDEL', lane_key(), ...) end)
  in_parts(lane, function(...) redis.call('HSET', lane_key(), ...) end)
  in_parts(meta, function(...) redis.call('HSET', K.channel, ...) end)
  if ch.expire then redis.call('PEXPIRE', K.channel, life) end
  if ch.lane_expire then redis.call('PEXPIRE', lane_key(), IDLE_MS) end
  ch.dirty, ch.drop, ch.expire, ch.lane_expire = {}, {}, nil, nil
end

-- USES state/schema
-- A user's hash holds his connections: c:<connection> is the record, s:<connection> its subscriptions (see
-- auth/subscriptions), and what ends tokens early (see auth/revocation).  The record, one field a line: state (a
-- admitted, c connected, g gone), permissions (letters of r w x a), token expiry (unix s, 0 never), supabase session,
-- issued at (unix s), connected at (ms), lease end when last written (ms), source address, info (JSON), schema version.
local GRACE_S, LIFE_MS, SPREAD_MS = 25, 6900000, 600000
local RECORD = { 'state', 'permissions', 'expires', 'session', 'issued', 'connected', 'lease', 'address', 'app',
  'schema' }

local function lines(text, names)
  local out, i = {}, 0
  for part in string.gmatch(text .. '\n', '(.-)\n') do
    i = i + 1
    out[names and names[i] or i] = part
  end
  return out
end

local function record_text(record)
  local parts = {}
  record.schema = SCHEMA
  for i, name in ipairs(RECORD) do parts[i] = record[name] or '' end
  while record[#parts + 1] do parts[#parts + 1] = record[#parts + 1] end
  return table.concat(parts, '\n')
end

-- The record and the text of its subscriptions, or nil and why not: gone | revoked | expired | waiting | denied.
local function connection_load(user_key, conn, session, need, now)
  local held = redis.call('HMGET', user_key, 'c:' .. conn, 's:' .. conn, 'revoked_before', 'revoked:' .. session,
    'blocked')
  local record = held[1] and lines(held[1], RECORD)
  if not record or record.state == 'g' or not readable(record.schema) then return nil, 'gone' end
  local expires = tonumber(record.expires)
  -- A refresh may have brought a token of another Supabase session.
  if record.session ~= session then held[4] = redis.call('HGET', user_key, 'revoked:' .. record.session) end
  if (held[3] and tonumber(record.issued) < tonumber(held[3])) or held[4]
    or (held[5] and now < tonumber(held[5]) * 1000) then return nil, 'revoked' end
  if expires > 0 and now > (expires + GRACE_S) * 1000 then return nil, 'expired' end
  -- It was skipped by deliveries since, so it must come back recovering.
  if tonumber(record.lease) <= now then return nil, 'gone' end
  if record.state == 'a' then return nil, 'waiting' end
  if need ~= '' and not string.find(record.permissions, need, 1, true)
    and not string.find(record.permissions, 'a', 1, true) then return nil, 'denied' end
  return record, held[2]
end

-- API Gateway closes after two hours.  Before, and not all at once, connections are asked to come again.
local function life_end(record)
  return record.connected + LIFE_MS - (record.connected % 1000003) * 7919 % SPREAD_MS
end

-- The one place where a lease's end is decided.
local function lease_end(record, now, lease_ms)
  local expires, wanted = tonumber(record.expires), math.min(now + tonumber(lease_ms), life_end(record))
  return expires > 0 and math.min(wanted, (expires + GRACE_S) * 1000) or wanted
end

-- Renews the lease when half of it is gone; true when the record must be written back.
local function renew(leases_key, conn, record, now, lease_ms)
  local wanted = lease_end(record, now, lease_ms)
  if wanted - tonumber(record.lease) < tonumber(lease_ms) / 2 then return false end
  redis.call('ZADD', leases_key, wanted, conn)
  record.lease = tostring(wanted)
  return true
end

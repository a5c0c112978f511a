-- USES state/schema
-- What every script of the realtime layer starts from.  Times are unix ms by the server's clock.
-- Lua passes only some thousand arguments at once.
local function in_parts(list, work)
  for i = 1, #list, 3000 do work(unpack(list, i, math.min(i + 2999, #list))) end
end

local function read_fields(key, names, fields)
  in_parts(names, function(...)
    local values = redis.call('HMGET', key, ...)
    for i, name in ipairs({ ... }) do fields[name] = values[i] or nil end
  end)
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
  for part in string.gmatch(text .. '\n', '([^\n]*)\n') do parts[#parts + 1] = part end
  return parts
end

-- A session's record, and how a change of it and of the tenant's indexes is written.
local FIELDS = { 'id', 'owner', 'data', 'version', 'status', 'access', 'created', 'updated', 'touched', 'idle', 'last',
  'kept', 'request' }
local VERSION, STATUS, TOUCHED, REQUEST = 4, 5, 9, 13

local function session_read()
  return redis.call('HMGET', K.session, unpack(FIELDS))
end

local function size_of(named)
  local n = 0
  for _ in pairs(named) do n = n + 1 end
  return n
end

-- After the named arguments come A.fields fields and values of the record, then for each index among the keys (those
-- after the named ones): 'add' or 'remove', score, member.
local function session_write(delete)
  local at, named_keys = size_of(A), size_of(K)
  local index_at = at + tonumber(A.fields)
  if delete then
    redis.call('DEL', K.session)
  else
    redis.call('HSET', K.session, 'request', A.request, unpack(ARGV, at + 1, index_at))
    if A.keep_until_ms ~= '' then redis.call('PEXPIREAT', K.session, A.keep_until_ms) end
  end
  for i = named_keys + 1, #KEYS do
    local what, score, member = unpack(ARGV, index_at + 1, index_at + 3)
    index_at = index_at + 3
    if what == 'add' then redis.call('ZADD', KEYS[i], score, member) else redis.call('ZREM', KEYS[i], member) end
  end
end

-- change_file: replace a file's record if it is still the version that was read, and tell its channels
-- USES realtime/channel
-- KEYS file, due, all, owned, shared, bytes, channel, log, leases, lanes, channel2, log2
-- ARGV id, place, version, record, due_ms, listed, freed, body, channel, owner, birth, history_size, history_ttl_ms, join_leave, channel2
-- a record is its version, a newline, and JSON that scripts do not look into; due_ms 0: nothing is due any more; listed 0: the file leaves the lists;
-- freed: bytes that the tenant has room for again
-- RETURNS 'stale' | { claim, claim of the second channel }
local held = redis.call('GET', K.file)
if not held or string.match(held, '^%d+') ~= A.version then return 'stale' end
redis.call('SET', K.file, A.record)
if A.due_ms == '0' then
  redis.call('ZREM', K.due, A.id)
else
  redis.call('ZADD', K.due, A.due_ms, A.id)
end
if A.listed == '0' then
  redis.call('ZREM', K.all, A.place)
  redis.call('ZREM', K.owned, A.place)
  if A.channel2 ~= '' then redis.call('ZREM', K.shared, A.place) end
end
if A.freed ~= '0' and redis.call('DECRBY', K.bytes, A.freed) <= 0 then redis.call('DEL', K.bytes) end
local claim = channel_publish(A.body)
return { claim, A.channel2 ~= '' and channel_publish_second(A.body) }

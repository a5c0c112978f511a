-- create_file: record an upload that is about to begin, if the tenant has room for one more file of this size
-- USES auth/revocation, realtime/channel
-- KEYS user, file, due, all, owned, shared, bytes, channel, log, leases, lanes, channel2, log2
-- ARGV id, place, auth_session, issued_at, now_s, limit, size, max_bytes, record, due_ms, body, channel, owner, birth, history_size, history_ttl_ms, join_leave, channel2
-- `shared` and channel2 are used when channel2 is not empty: the lists and the channel of the file's session
-- RETURNS 'revoked' | 'full' (of files) | 'large' (too many bytes) | 'exists' (an earlier attempt of the same request made it) | { claim, claim of the second channel }
if revoked(K.user, A.auth_session, A.issued_at, A.now_s) then return 'revoked' end
if redis.call('EXISTS', K.file) == 1 then return 'exists' end
if redis.call('ZCARD', K.all) >= tonumber(A.limit) then return 'full' end
local held = tonumber(redis.call('GET', K.bytes) or '0')
if held + tonumber(A.size) > tonumber(A.max_bytes) then return 'large' end
if A.size ~= '0' then redis.call('INCRBY', K.bytes, A.size) end
redis.call('SET', K.file, A.record)
redis.call('ZADD', K.due, A.due_ms, A.id)
redis.call('ZADD', K.all, 0, A.place)
redis.call('ZADD', K.owned, 0, A.place)
local claim, second = channel_publish(A.body), false
if A.channel2 ~= '' then
  redis.call('ZADD', K.shared, 0, A.place)
  second = channel_publish_second(A.body)
end
return { claim, second }

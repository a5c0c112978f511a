-- create_api_key: keeps a key's record under its hash, if the tenant has room for one more
-- KEYS keys
-- ARGV digest, record, most
-- RETURNS 1, or 0 when there is no room
if redis.call('HLEN', K.keys) >= tonumber(A.most) and redis.call('HEXISTS', K.keys, A.digest) == 0 then return 0 end
redis.call('HSET', K.keys, A.digest, A.record)
return 1

-- forget_file: drop a record whose file has come to its end, unless it changed since it was read
-- KEYS file, due, all, owned, shared
-- ARGV id, version
-- RETURNS 1 | 0
if redis.call('HGET', K.file, 'version') ~= A.version then return 0 end
for _, list in ipairs({ K.due, K.all, K.owned, K.shared }) do redis.call('ZREM', list, A.id) end
return redis.call('DEL', K.file)

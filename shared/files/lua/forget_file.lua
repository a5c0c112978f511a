-- forget_file: drop a record whose file has come to its end, unless it changed since it was read
-- KEYS file, due, all, owned, shared
-- ARGV id, place, version
-- RETURNS 1 | 0
local held = redis.call('GET', K.file)
if not held or string.match(held, '^%d+') ~= A.version then return 0 end
redis.call('ZREM', K.due, A.id)
for _, list in ipairs({ K.all, K.owned, K.shared }) do redis.call('ZREM', list, A.place) end
return redis.call('DEL', K.file)

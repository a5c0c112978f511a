-- idempotency_begin: who comes first with a key runs the request; the others get its answer or wait
-- KEYS record
-- ARGV fingerprint, seed, now_ms, lock_ms, keep_ms
-- RETURNS {'run', seed} | {'answer', text} | {'running'} | {'mismatch'}
local held = redis.call('HMGET', K.record, 'fingerprint', 'seed', 'locked_until', 'answer')
if held[1] and held[1] ~= A.fingerprint then return { 'mismatch' } end
if held[4] then return { 'answer', held[4] } end
if held[1] and tonumber(held[3]) > tonumber(A.now_ms) then return { 'running' } end
local seed = held[2] or A.seed
redis.call('HSET', K.record, 'fingerprint', A.fingerprint, 'seed', seed, 'locked_until', A.now_ms + A.lock_ms)
redis.call('PEXPIRE', K.record, A.keep_ms)
return { 'run', seed }

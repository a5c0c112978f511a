-- idempotency_finish: keep the answer (the first one stays), or let the next attempt run at once
-- KEYS record
-- ARGV outcome, answer
-- outcome is answer, retry or forget
-- RETURNS 1
if A.outcome == 'forget' then return redis.call('DEL', K.record) end
if redis.call('EXISTS', K.record) == 0 then return 1 end
if A.outcome == 'retry' then
  redis.call('HSET', K.record, 'locked_until', '0')
else
  redis.call('HSETNX', K.record, 'answer', A.answer)
end
return 1

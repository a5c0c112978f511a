-- settle: after a visit, gives an entry of the due index its next deadline, unless somebody noted an earlier one
-- KEYS due
-- ARGV member, trust, expected, next, now_ms, over
-- While somebody trusts a note (the score of `trust` is below `over`), the next sweep looks again.  next: '' is never.
-- RETURNS how many members it set or removed
local held = redis.call('ZMSCORE', K.due, A.member, A.trust)
local trusted = held[2] and tonumber(held[2]) < tonumber(A.over)
local following = trusted and A.now_ms or A.next
if following ~= '' then
  local flag = held[1] == A.expected and 'CH' or 'LT'
  return redis.call('ZADD', K.due, flag, following, A.member)
end
return held[1] == A.expected and redis.call('ZREM', K.due, A.member, A.trust) or 0

-- settle: after a visit, gives an entry of the due index its next deadline, unless somebody noted an earlier one
-- KEYS due
-- ARGV member, expected, next
-- RETURNS 1 when it was set or removed
if redis.call('ZSCORE', K.due, A.member) ~= A.expected then
  return A.next ~= '' and redis.call('ZADD', K.due, 'LT', 'CH', A.next, A.member) or 0
end
if A.next == '' then return redis.call('ZREM', K.due, A.member) end
return redis.call('ZADD', K.due, 'CH', A.next, A.member)

-- touch_session: an active session was used
-- USES sessions/record
-- KEYS session
-- ARGV request, fields, keep_until_ms
-- then the record as session_write wants it
-- RETURNS 1, or 0 when it is not active any more
if redis.call('HGET', K.session, 'status') ~= 'active' then return 0 end
session_write(false)
return 1

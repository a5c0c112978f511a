-- change_session: compare-and-set of the record with its event; the same request again finds itself done
-- USES sessions/record, realtime/channel
-- KEYS session, channel, log, leases, lanes
-- ARGV version, touched, delete, request, fields, keep_until_ms, body, channel, owner, birth, history_size, history_ttl_ms, join_leave
-- then record and indexes as session_write wants them
-- RETURNS {'done', claim} | {'stale', the values of FIELDS}
local held = session_read()
if held[REQUEST] == A.request then return { 'done', false } end
if held[VERSION] ~= A.version or held[TOUCHED] ~= A.touched then return { 'stale', unpack(held, 1, #FIELDS) } end
session_write(A.delete == '1')
return { 'done', A.body ~= '' and (channel_publish(A.body)) }

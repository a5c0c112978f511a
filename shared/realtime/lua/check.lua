-- check: may the connection act now, with this permission?
-- USES realtime/log, auth/connection
-- KEYS user
-- ARGV conn, session, need
-- RETURNS 'ok' | gone | revoked | expired | waiting | denied
local record, why = connection_load(K.user, A.conn, A.session, A.need, server_ms())
return record and 'ok' or why

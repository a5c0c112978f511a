-- read_session: the record, unless the caller's token was revoked
-- USES auth/revocation, sessions/record
-- KEYS user, session
-- ARGV auth_session, issued_at, now_s
-- RETURNS 'revoked' | the values of FIELDS
if revoked(K.user, A.auth_session, A.issued_at, A.now_s) then return 'revoked' end
return session_read()

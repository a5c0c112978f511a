-- read_file: a file's record, for a caller whose token may have been revoked
-- USES auth/revocation
-- KEYS user, file
-- ARGV auth_session, issued_at, now_s
-- RETURNS 'revoked' | the record | nil
if revoked(K.user, A.auth_session, A.issued_at, A.now_s) then return 'revoked' end
return redis.call('GET', K.file)

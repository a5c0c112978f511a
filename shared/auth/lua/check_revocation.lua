-- check_revocation: for what acts on behalf of a token without a script of its own
-- USES auth/revocation
-- KEYS user
-- ARGV session, issued_at, now_s
-- RETURNS 1 when the token is void, else 0
return revoked(K.user, A.session, A.issued_at, A.now_s) and 1 or 0

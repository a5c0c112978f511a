-- list_files: ids of a list's files, newest first, older than `before` (an id, or empty)
-- USES auth/revocation
-- KEYS user, list
-- ARGV auth_session, issued_at, now_s, before, limit
-- RETURNS 'revoked' | ids
if revoked(K.user, A.auth_session, A.issued_at, A.now_s) then return 'revoked' end
local from = A.before == '' and '+' or '(' .. A.before
return redis.call('ZRANGE', K.list, from, '-', 'BYLEX', 'REV', 'LIMIT', 0, A.limit)

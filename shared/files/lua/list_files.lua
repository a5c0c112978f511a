-- list_files: places of a list's files, newest first, after `before` (a place, or empty)
-- USES auth/revocation
-- KEYS user, list
-- ARGV auth_session, issued_at, now_s, before, limit
-- RETURNS 'revoked' | places
if revoked(K.user, A.auth_session, A.issued_at, A.now_s) then return 'revoked' end
local from = A.before == '' and '+' or '(' .. A.before
return redis.call('ZRANGE', K.list, from, '-', 'BYLEX', 'REV', 'LIMIT', 0, A.limit)

-- list_sessions: what each index holds after a position, newest first
-- USES auth/revocation
-- KEYS user
-- ARGV auth_session, issued_at, now_s, from, limit
-- from is a lex bound; after the user come the indexes
-- RETURNS 'revoked' | for each index an array of members
if revoked(K.user, A.auth_session, A.issued_at, A.now_s) then return 'revoked' end
local found = {}
for i = 2, #KEYS do
  found[i - 1] = redis.call('ZRANGE', KEYS[i], A.from, '-', 'BYLEX', 'REV', 'LIMIT', 0, A.limit)
end
return found

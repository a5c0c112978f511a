-- Is a user's token still good?  The user's hash holds what ends it early: `revoked_before` (unix s: tokens issued
-- before are void), `revoked:<supabase session>` and `blocked` (unix s until which the user is shut out).
local function revoked(user_key, session, issued_at, now_s)
  local held = redis.call('HMGET', user_key, 'revoked_before', 'revoked:' .. session, 'blocked')
  return (held[1] and tonumber(issued_at) < tonumber(held[1])) or held[2]
    or (held[3] and tonumber(now_s) < tonumber(held[3])) or false
end

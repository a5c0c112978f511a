-- publish: the server appends a publication, once per idempotency key
-- USES realtime/channel
-- KEYS channel, log, leases, lanes, idempotency
-- ARGV channel, owner, birth, history_size, history_ttl_ms, join_leave, body, idempotency_ms, kind, version, version_epoch
-- RETURNS offset, epoch, claim
if A.idempotency_ms ~= '0' then
  local before = redis.call('GET', K.idempotency)
  if before then
    local offset, epoch = string.match(before, '^(%d+) (.*)$')
    local ch = channel_load(server_ms())
    -- An attempt of the same call, whose answer was lost, took the lane: nobody else will serve it.
    local claimed = ch.f.o == A.owner and claim(ch)
    channel_save(ch)
    return { tonumber(offset), epoch, with_what_is_left(ch, claimed) }
  end
end
-- Versions are decimals of up to 19 digits, which no Lua number holds exactly; '' is none.
local function newer(a, b)
  return #a > #b or (#a == #b and a > b)
end

local ch = channel_load(server_ms())
if A.version ~= '' then
  local same = A.version_epoch == '' or A.version_epoch == ch.f.pe
  if ch.f.pv and same and not newer(A.version, ch.f.pv) then return { ch.s, ch.f.e, false } end
  put(ch, 'pv', A.version); put(ch, 'pe', A.version_epoch)
end
append(ch, A.kind, A.body)
local claim = claim_published(ch)
if A.idempotency_ms ~= '0' then
  redis.call('SET', K.idempotency, ch.s .. ' ' .. ch.f.e, 'PX', A.idempotency_ms)
end
return { ch.s, ch.f.e, claim }

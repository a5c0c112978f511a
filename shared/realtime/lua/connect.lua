-- connect: admits a socket within its caps, and (or) makes it a connected client with its personal channel
-- USES realtime/joining
-- KEYS channel, log, leases, lanes, addresses
-- ARGV channel, owner, birth, history_size, history_ttl_ms, join_leave, conn, session, admit, attach, permissions, expires, issued, address, lease_ms, max_tenant, max_user, max_address, cmd, jl, want_epoch, want_offset, info, extra, app
-- RETURNS 'ok' and the claim | gone | revoked | expired | again | full:tenant | full:user | full:address
-- The personal channel's hash is the user's hash, so one read serves both.
local now = server_ms()
local ch = channel_load(now)
local f = ch.f

local function shut_out(issued, expires)
  if (f.revoked_before and tonumber(issued) < tonumber(f.revoked_before)) or f['revoked:' .. A.session]
    or (f.blocked and now < tonumber(f.blocked) * 1000) then return 'revoked' end
  return tonumber(expires) > 0 and now > (tonumber(expires) + GRACE_S) * 1000 and 'expired' or nil
end

local function full()
  local held = {}
  for field in pairs(f) do
    if string.sub(field, 1, 2) == 'c:' then held[#held + 1] = string.sub(field, 3) end
  end
  if #held >= tonumber(A.max_user) then
    local live = 0
    for _, ends in ipairs(lease_ends(held)) do
      if ends and tonumber(ends) > now then live = live + 1 end
    end
    if live >= tonumber(A.max_user) then return 'full:user' end
  end
  if redis.call('ZCOUNT', K.leases, now, '+inf') >= tonumber(A.max_tenant) then return 'full:tenant' end
  if tonumber(redis.call('ZINCRBY', K.addresses, 1, A.address)) > tonumber(A.max_address) then
    redis.call('ZINCRBY', K.addresses, -1, A.address)
    return 'full:address'
  end
end

local record
if A.admit == '1' then
  local refused = shut_out(A.issued, A.expires) or (f['c:' .. A.conn] and 'again') or full()
  if refused then return { refused } end
  record = { state = 'a', permissions = A.permissions, expires = A.expires, session = A.session, issued = A.issued,
    connected = tostring(now), lease = '0', address = A.address }
  renew(K.leases, A.conn, record, now, A.lease_ms)
else
  if not f['c:' .. A.conn] then return { 'gone' } end
  record = lines(f['c:' .. A.conn], RECORD)
  local refused = shut_out(record.issued, record.expires)
    or ((record.state == 'g' or tonumber(record.lease) <= now) and 'gone') or (record.state == 'c' and 'again')
  if refused then return { refused } end
end
if A.attach == '0' then
  put(ch, 'c:' .. A.conn, record_text(record))
  channel_save(ch)
  return { 'ok', false }
end
record.state, record.app = 'c', A.app
put(ch, 'c:' .. A.conn, record_text(record))
put(ch, 's:' .. A.conn, A.channel .. ' ' .. A.cmd .. ' 1')
join(ch, A.conn, A.cmd, 'c', false)
return { 'ok', try_claim(ch, A.conn) }

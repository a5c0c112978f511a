-- history: publications of a channel after (or before) a position
-- USES realtime/hash, auth/connection, auth/subscriptions
-- KEYS user, channel, log
-- ARGV conn, session, need, name, birth, since_offset, since_epoch, limit, reverse, history_size, history_ttl_ms
-- RETURNS 'ok', offset, epoch, then offset and body of each publication | 'unrecoverable' | why not
local now = server_ms()
if A.conn ~= '' then
  local record, why = connection_load(K.user, A.conn, A.session, A.need, now)
  if not record then return { why } end
  if not subscribed(why, A.name, now) then return { 'denied' } end
end
local fields = {}
read_fields(K.channel, { 'v', 'e', 's', 'n', 'lx', 'x' }, fields)
local ch = born(channel_of(fields, now))
if ch.dirty.e then channel_save(ch) end
if A.since_epoch ~= '' and A.since_epoch ~= fields.e then return { 'unrecoverable' } end
local out, limit = { 'ok', ch.s, fields.e }, tonumber(A.limit)
if limit == 0 or ch.s == 0 or now >= tonumber(fields.lx or 0) then return out end
-- Redis would refuse to look there.
if A.reverse == '1' and A.since_offset == '0' then return out end
local from, raw = '-', nil
if A.reverse == '1' then
  local top = A.since_offset ~= '' and '(' .. A.since_offset .. '-0' or '+'
  raw = redis.call('XREVRANGE', K.log, top, '-')
else
  if A.since_offset ~= '' then from = '(' .. A.since_offset .. '-0' end
  raw = redis.call('XRANGE', K.log, from, '+')
end
local found = 0
for _, entry in ipairs(raw) do
  if entry[2][1] == 'pub' and (limit < 0 or found < limit) then
    found = found + 1
    out[#out + 1] = tonumber(string.match(entry[1], '^%d+')); out[#out + 1] = entry[2][2]
  end
end
return out

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
read_fields(K.channel, { 'v', 'e', 's', 'n', 'lx', 'x', 'hr' }, fields)
local ch = born(channel_of(fields, now))
if ch.dirty.e then channel_save(ch) end
if A.since_epoch ~= '' and A.since_epoch ~= fields.e then return { 'unrecoverable' } end
local out, limit = { 'ok', ch.s, fields.e }, tonumber(A.limit)
if limit == 0 or ch.s == 0 or now >= tonumber(fields.lx or 0) then return out end
-- Publications stand at <offset>-0, so what is ephemeral is skipped by going on at the next offset.
local back, left, first = A.reverse == '1', limit < 0 and ch.s or math.min(limit, ch.s),
  math.max(tonumber(fields.hr or 0), ch.s - A.history_size) + 1
local look, bound, at = 'XRANGE', '+', math.max(first, (tonumber(A.since_offset) or 0) + 1)
if back then look, bound, at = 'XREVRANGE', first .. '-0', math.min(ch.s, (tonumber(A.since_offset) or ch.s + 1) - 1) end
while left > 0 and at >= first and at <= ch.s do
  local asked = left
  local raw = redis.call(look, K.log, at .. '-0', bound, 'COUNT', asked)
  for _, entry in ipairs(raw) do
    if entry[2][1] == 'pub' then
      left = left - 1
      out[#out + 1] = tonumber(string.match(entry[1], '^%d+')); out[#out + 1] = entry[2][2]
    end
  end
  if #raw < asked then break end
  local offset, n = string.match(raw[#raw][1], '^(%d+)-(%d+)$')
  at = offset + (not back and 1 or n == '0' and -1 or 0)
end
return out

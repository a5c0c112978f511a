-- presence: who is in a channel now, or awaited there
-- USES realtime/awaited, realtime/member, auth/connection, auth/subscriptions
-- KEYS user, lane, leases
-- ARGV conn, session, need, name, most
-- RETURNS 'ok', members, lanes, then each connection and its info (none when there are more than `most`) | why not
local now = server_ms()
if A.conn ~= '' then
  local record, why = connection_load(K.user, A.conn, A.session, A.need, now)
  if not record then return { why } end
  if not subscribed(why, A.name, now) then return { 'denied' } end
end
local held, fields, conns, infos = redis.call('HGETALL', K.lane), {}, {}, {}
for i = 1, #held, 2 do
  fields[held[i]] = held[i + 1]
  if string.sub(held[i], 1, 2) == 'm:' then
    local member = member_of(held[i + 1])
    if member.st ~= 'o' and not over(member, now) then
      conns[#conns + 1] = string.sub(held[i], 3)
      infos[#infos + 1] = member.info
    end
  end
end
local out = { 'ok', 0, tonumber(fields.l or 1) }
local function present(conn, info)
  out[2] = out[2] + 1
  out[#out + 1] = conn; out[#out + 1] = info
end
for i, ends in ipairs(#conns > 0 and lease_ends(conns) or {}) do
  if ends and tonumber(ends) > now then present(conns[i], infos[i]) end
end
for _, one in ipairs(awaited_of({ f = fields })) do present(one.conn, one.info) end
if out[2] > tonumber(A.most) then return { 'ok', out[2], out[3] } end
return out

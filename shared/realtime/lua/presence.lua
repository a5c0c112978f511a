-- presence: who is in a channel now
-- USES realtime/member, auth/connection
-- KEYS user, lane, leases
-- ARGV conn, session, need, name, most
-- RETURNS 'ok', members, lanes, then each connection and its info (none when there are more than `most`) | why not
local now = server_ms()
if A.conn ~= '' then
  local record, why = connection_load(K.user, A.conn, A.session, A.need, now)
  if not record then return { why } end
  local sub = subscriptions_of(why)[A.name]
  if not (sub and sub[2]) then return { 'denied' } end
end
local held, conns, infos, lanes = redis.call('HGETALL', K.lane), {}, {}, 1
for i = 1, #held, 2 do
  if held[i] == 'l' then lanes = tonumber(held[i + 1]) end
  if string.sub(held[i], 1, 2) == 'm:' then
    conns[#conns + 1] = string.sub(held[i], 3)
    infos[#infos + 1] = member_of(held[i + 1]).info
  end
end
if #conns == 0 then return { 'ok', 0, lanes } end
local out, ends = { 'ok', 0, lanes }, lease_ends(conns)
for i, conn in ipairs(conns) do
  if ends[i] and tonumber(ends[i]) > now then
    out[2] = out[2] + 1
    out[#out + 1] = conn; out[#out + 1] = infos[i]
  end
end
if out[2] > tonumber(A.most) then return { 'ok', out[2], lanes } end
return out

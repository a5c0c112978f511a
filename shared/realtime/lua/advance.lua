-- advance: the owner reports what became of its claim, then claims more or releases the lane
-- USES realtime/channel
-- KEYS channel, lane, log, leases, lanes
-- ARGV channel, lane, owner, epoch, hi, all, more, birth, history_size, history_ttl_ms, join_leave
-- and per served member that changes: connection, which membership (member.lua), 'live' or 'drop'
-- Where not all could be served (all = 0), the cursor waits for the others, and each served one has its own place.
-- RETURNS 'lost' | 'done' | 'handover' | the next claim
-- Idempotent: told twice, the cursor and the members stand where they stood, and the claim is the same again.
local FIXED = 11
local meta, names, fields, drops = { 'e', 's', 'n', 'l', 'r', 't', 'kx', 'lx' }, { 'c', 'ce', 'o', 'j', 'q' }, {}, false
for i = FIXED + 1, #ARGV, 3 do names[#names + 1] = 'm:' .. ARGV[i] end
local apart = K.lane ~= K.channel
for _, name in ipairs(apart and {} or meta) do names[#names + 1] = name end
read_fields(K.lane, names, fields)
if apart then read_fields(K.channel, and_count(meta), fields) end
if fields.o ~= A.owner then return 'lost' end
for i = FIXED + 3, #ARGV, 3 do drops = drops or ARGV[i] == 'drop' end

local ch = channel_of(fields, drops and server_ms() or 0)
fields.x, fields.y = tostring(ch.now + META_MS), tostring(ch.now + META_MS)
-- (A further lane without a cursor began at this claim's end.)
if fields.e == A.epoch and (A.all == '1' or (apart and not fields.c)) and (fields.ce ~= A.epoch or after(A.hi, fields.c)) then
  put(ch, 'c', A.hi); put(ch, 'ce', A.epoch)
end
for i = FIXED + 1, #ARGV, 3 do
  local conn, one, outcome = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local text = fields['m:' .. conn]
  if outcome == 'drop' then
    member_drop(ch, conn, one)
  elseif text then
    local member = member_of(text)
    if which(member) == one and (member.st == 'j' or A.all == '0') then
      member.st, member.at, member.epoch = 'l', A.hi, A.epoch
      member_put(ch, conn, member)
    end
  end
end

local rest = A.all == '0' or fields.ce ~= fields.e or after(top_id(ch), fields.c) or tonumber(fields.j or 0) > 0
if not rest or A.more == '0' then
  release(ch)
  channel_save(ch)
  return rest and 'handover' or 'done'
end
channel_save(ch)
ch = channel_load(server_ms())
local got = claim(ch)
channel_save(ch)
return got or 'done'

-- USES realtime/targets
-- What a script of any layer calls to change a channel: load, append, try the lane's lease, claim, save.
-- Those whose lease goes on; the others get nothing, and who has no lease at all leaves.
local function alive(ch, members, targets, sure)
  local conns, kept = {}, {}
  for i, target in ipairs(targets) do conns[i] = target[1] end
  if #conns == 0 or (#conns == 1 and conns[1] == sure) then return targets end
  local ends = lease_ends(conns)
  for i, target in ipairs(targets) do
    if ends[i] and tonumber(ends[i]) > ch.now then
      kept[#kept + 1] = target
    else
      members[target[1]] = nil
      if not ends[i] then member_drop(ch, target[1]) end
    end
  end
  return kept
end

local function flat(entries, hi)
  local out = {}
  for _, entry in ipairs(entries) do
    if after(entry.id, hi) then break end
    out[#out + 1] = entry.id; out[#out + 1] = entry.kind; out[#out + 1] = entry.body
  end
  return out
end

-- One batch, or false when nobody needs anything of it: then the cursor passes over it.
local function claim_batch(ch, members, sure)
  local cursor = ch.f.ce == ch.f.e and ch.f.c or '0-0'
  local entries, complete = read(ch, needed_from(ch, members, cursor), cursor)
  local hi, targets = batch_end(ch, entries, complete, cursor), {}
  for conn, member in pairs(members) do
    if member.st == 'j' then
      targets[#targets + 1] = joining_target(ch, entries, complete, conn, member, hi)
    else
      targets[#targets + 1] = live_target(ch, entries, complete, conn, member, cursor, hi)
    end
  end
  targets = alive(ch, members, targets, sure)
  if #targets > 0 then return { ch.f.e, hi, flat(entries, hi), targets } end
  put(ch, 'c', hi); put(ch, 'ce', ch.f.e)
  return false
end

-- { epoch, hi, { id, kind, body, ... }, { { connection, cmd, what, ... }, ... } } or false.
local function claim(ch, sure)
  local members = members_of(ch)
  repeat
    if next(members) == nil then
      put(ch, 'c', top_id(ch)); put(ch, 'ce', ch.f.e)
      break
    end
    local got = claim_batch(ch, members, sure)
    if got then watch(ch); return got end
  until ch.f.c == top_id(ch)
  release(ch)
  return false
end

local function try_claim(ch, sure)
  local got = take(ch) and claim(ch, sure)
  channel_save(ch)
  return got
end

-- Returns the claim (or false), the offset and the epoch.
local function channel_publish(body)
  local ch = channel_load(server_ms())
  append(ch, 'pub', body)
  return try_claim(ch), ch.s, ch.f.e
end

-- For events that go to two channels: the second one's keys and name end in 2.
local function channel_publish_second(body)
  K.channel, K.log, A.channel = K.channel2, K.log2, A.channel2
  return channel_publish(body)
end

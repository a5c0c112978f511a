-- USES realtime/targets
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

-- A new lane begins at the top: what was before is no business of its members.
local function cursor_of(ch)
  if not ch.f.c and lane_number() ~= '1' then return top_id(ch) end
  return ch.f.ce == ch.f.e and ch.f.c or '0-0'
end

-- One batch, or false (and whether more are joining) when nobody needs anything of it: the cursor passes over it.
local function claim_batch(ch, members, sure)
  local cursor = cursor_of(ch)
  local entries, complete = read(ch, needed_from(ch, members, cursor), cursor)
  local hi, targets, joining = batch_end(ch, entries, complete, cursor), {}, 0
  for conn, member in pairs(members) do
    if member.st == 'o' then
      targets[#targets + 1] = { conn, which(member), '2000' }
    elseif member.st == 'j' then
      joining = joining + 1
      if joining <= JOINING_MAX then
        targets[#targets + 1] = joining_target(ch, entries, complete, conn, member, hi)
      end
    else
      targets[#targets + 1] = live_target(ch, entries, complete, conn, member, cursor, hi)
    end
  end
  targets = alive(ch, members, targets, sure)
  if #targets > 0 then return { ch.f.e, hi, flat(entries, hi), targets } end
  put(ch, 'c', hi); put(ch, 'ce', ch.f.e)
  return false, joining > JOINING_MAX
end

-- { epoch, hi, { id, kind, body, ... }, { { connection, which membership, what, ... }, ... } } or false.
local function claim(ch, sure)
  local members = members_of(ch)
  repeat
    if next(members) == nil then
      put(ch, 'c', top_id(ch)); put(ch, 'ce', ch.f.e)
      break
    end
    local got, more = claim_batch(ch, members, sure)
    if got then watch(ch); return got end
  until ch.f.c == top_id(ch) and not more
  release(ch)
  return false
end

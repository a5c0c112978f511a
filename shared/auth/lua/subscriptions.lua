-- What a connection is subscribed to, as the text of s:<connection> in its user's hash.  A line says: channel, the last
-- command about it, whether that subscribed (1 or 0), lane, end.  The end (unix ms) is its token's, with the grace;
-- without one it is left out, and so is lane 1 then.

-- { [channel] = { cmd, subscribed, lane, end } } and how many are subscribed.
local function subscriptions_of(text)
  local subs, live = {}, 0
  for channel, cmd, on, lane, ends in string.gmatch(text or '', '(%S+) (%d+) ([01]) ?(%d*) ?(%d*)') do
    subs[channel] = { tonumber(cmd), on == '1', lane ~= '' and lane or '1', ends }
    if on == '1' then live = live + 1 end
  end
  return subs, live
end

local function subscribed(text, channel, now)
  local sub = subscriptions_of(text)[channel]
  return sub and sub[2] and (sub[4] == '' or now < tonumber(sub[4]))
end

local function subscriptions_text(subs)
  local parts = {}
  for channel, sub in pairs(subs) do
    local part = channel .. ' ' .. sub[1] .. ' ' .. (sub[2] and '1' or '0')
    if sub[4] ~= '' then part = part .. ' ' .. sub[3] .. ' ' .. sub[4]
    elseif sub[3] ~= '1' then part = part .. ' ' .. sub[3] end
    parts[#parts + 1] = part
  end
  return table.concat(parts, '\n')
end

-- The version of what the scripts write.  While one version of the code replaces another, both work on the same
-- state: each reads what the version before and the version after it wrote.  So what is new in a record goes to its
-- end and has a default, for the version before may drop it.
local SCHEMA = 1

-- What is further away counts as expired.  Before there were versions, there was the first.
local function readable(version)
  return math.abs((tonumber(version or '') or 1) - SCHEMA) <= 1
end

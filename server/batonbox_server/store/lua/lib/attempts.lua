--- @include "lib/gcra"
-- Attempts to sign in, limited by rates of users and addresses.

-- Who is tried: the user, or the user from an address where they signed in before. So whoever tries
-- from elsewhere uses up nothing of theirs.
local function tried(user, address)
  if user == "" then return nil end
  local name = "u:" .. redis.sha1hex(user)
  if redis.call("ZSCORE", key("known", redis.sha1hex(user)), address) then
    return name .. "@" .. address
  end
  return name
end

--- @include "lib/keys"
-- Forget marks of conversations no longer waiting, once they outweigh the living ones.
local function compact(user)
  local su, unm = key("su", user), key("unm")
  if redis.call("SCARD", su) > 2 * redis.call("SCARD", unm) + 64 then
    redis.call("SINTERSTORE", su, su, unm)
  end
end

--- @include "lib/keys"
-- Forget marks of conversations no longer waiting, once they outweigh the living ones. Called for
-- each mark that is added; whether they do is looked at for each sixteenth.
local function compact(user)
  local su, unm = key("su", user), key("unm")
  local marks = redis.call("SCARD", su)
  if marks % 16 == 0 and marks > 2 * redis.call("SCARD", unm) + 64 then
    redis.call("SINTERSTORE", su, su, unm)
  end
end

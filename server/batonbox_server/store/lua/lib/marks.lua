--- @include "lib/keys"
-- Private marks are no events: they ride the channel under a header of their own, numbered per user.

local function publish_mark(cx, user, kind, c, unseen)
  local mv = redis.call("HINCRBY", key("mv"), user, 1)
  local packed = cmsgpack.pack({user, mv, cx.seq, kind, c.id, c.att, unseen})
  redis.call("SPUBLISH", key("ev"), "M" .. packed)
  return mv
end

-- Forget marks of conversations no longer waiting, once they outweigh the living ones.
local function compact(user)
  local su, unm = key("su", user), key("unm")
  if redis.call("SCARD", su) > 2 * redis.call("SCARD", unm) + 64 then
    redis.call("SINTERSTORE", su, su, unm)
  end
end

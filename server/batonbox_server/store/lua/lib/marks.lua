--- @include "lib/keys"
-- Private marks are no events: they ride the channel under a header of their own, numbered per user.

local function publish_mark(cx, user, kind, conv, att, unseen)
  local mv = redis.call("HINCRBY", key("mv"), user, 1)
  local packed = cmsgpack.pack({user, mv, cx.seq, kind, conv, att, unseen})
  redis.call("SPUBLISH", key("ev"), "M" .. packed)
  return mv
end

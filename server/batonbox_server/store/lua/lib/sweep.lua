--- @include "lib/command"
-- Return what a departed member still holds, oldest first: those taken before they left come first.
local BATCH = 100

local function sweep(cx, user)
  local returned = 0
  local held = redis.call("ZRANGE", key("as", user), 0, BATCH - 1)
  for _, conv in ipairs(held) do
    local c = load(cx, conv)
    if not owner_counts(cx, c) then
      release_stale(cx, c)
      returned = returned + 1
    end
  end
  local left = redis.call("ZCARD", key("as", user)) - returned
  return returned, returned == BATCH and left or 0
end

local function schedule(cx, user, left)
  if left > 0 then
    redis.call("ZADD", key("due"), cx.now, "sweep:" .. user)
  else
    redis.call("ZREM", key("due"), "sweep:" .. user)
  end
end

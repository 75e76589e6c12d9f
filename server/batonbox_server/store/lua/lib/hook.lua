--- @include "lib/log"
-- How far a webhook has got in this log. `held`, its events that are to be tried again, is opaque
-- here; `till` is the end of the lease of `holder`, `due` when a held one is next tried (0: none).

local function cursor(hook)
  local raw = redis.call("HGET", key("hk"), hook)
  return raw and cmsgpack.unpack(raw) or nil
end

local function keep_cursor(hook, c)
  redis.call("HSET", key("hk"), hook, cmsgpack.pack(c))
end

-- The tip after `seq`; "" where the log no longer tells.
local function tip_at(cx, seq)
  if seq == cx.seq then return cx.tip end
  local entry = redis.call("XRANGE", key("log"), seq .. "-0", seq .. "-0")[1]
  return entry and string.sub(entry[2][2], -16) or ""
end

#!lua
-- The messages that no inbox wanted, in the order in which they were kept.
--
-- KEYS[1] organisation prefix
-- derives unrouted unrouted_ids
-- writes nothing
-- Returns {"ok", records}
--- @include "lib/keys"
local records = {}
for _, id in ipairs(redis.call("LRANGE", key("unrouted_ids"), 0, -1)) do
  local record = redis.call("HGET", key("unrouted"), id)
  if record then table.insert(records, record) end
end
return {"ok", records}

#!lua
-- Throw away all that is kept for a number which delivers nowhere, and write down who did.
--
-- KEYS[1] organisation prefix
-- derives unrouted unrouted_ids au
-- ARGV[1] number
-- ARGV[2] by
-- Returns {"ok", dropped}
--- @include "lib/audit"
local number, by, dropped = ARGV[1], cmsgpack.unpack(ARGV[2]), 0
for _, id in ipairs(redis.call("LRANGE", key("unrouted_ids"), 0, -1)) do
  local record = redis.call("HGET", key("unrouted"), id)
  if record and cmsgpack.unpack(record).to == number then
    redis.call("HDEL", key("unrouted"), id)
    redis.call("LREM", key("unrouted_ids"), 1, id)
    dropped = dropped + 1
  end
end
if dropped == 0 then return {"ok", 0} end
local cx = {by = by}
audit(cx, by, "unrouted_discarded", by.actor, {target = number, detail = {messages = dropped}})
commit_audit(cx)
return {"ok", dropped}

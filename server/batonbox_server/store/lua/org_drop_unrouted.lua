#!lua
-- Keep a message that no inbox wanted no longer.
--
-- KEYS[1] organisation prefix
-- derives unrouted unrouted_ids
-- ARGV[1] id
-- Returns {"ok", dropped}
--- @include "lib/keys"
local id = ARGV[1]
if redis.call("HDEL", key("unrouted"), id) == 0 then return {"ok", 0} end
redis.call("LREM", key("unrouted_ids"), 1, id)
return {"ok", 1}

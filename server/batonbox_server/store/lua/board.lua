#!lua
-- The shared half of every badge: the unassigned with attention, at one position of the log.
--
-- KEYS[1] inbox prefix
-- derives meta log ev un unm
-- writes nothing
-- Returns {"ok", epoch, seq, tip, unassigned, keys} | {"not_found"}
--- @include "lib/log"
local cx = open()
if not cx then return {"not_found"} end
return {"ok", cx.epoch, cx.seq, cx.tip, redis.call("ZCARD", key("un")),
  redis.call("SMEMBERS", key("unm"))}

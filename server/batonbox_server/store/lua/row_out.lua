#!lua
-- Everything of a row that may leave the engine.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c m why ar hold out
-- writes nothing
-- ARGV[1] conv
-- Returns {"ok", row, raw, now} | {"stays"} | {"not_found"}
--- @include "lib/leaving"
local cx = open()
local c = cx and read_row(ARGV[1])
if not c then return {"not_found"} end
if not may_leave(c) then return {"stays"} end
return {"ok", cur(c), redis.call("HGETALL", key("c", c.id)), cx.now}

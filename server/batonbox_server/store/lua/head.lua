#!lua
-- The end of a log and the tip of its entry `at`: what a node compares its feed with.
--
-- KEYS[1] log prefix
-- derives meta log ev
-- writes nothing
-- ARGV[1] at
-- Returns {"ok", epoch, seq, tip, tip_at, oldest} | {"not_found"}
--- @include "lib/log"
local at = ARGV[1]
local cx = open()
if not cx then return {"not_found"} end
local entry = at ~= "0" and redis.call("XRANGE", key("log"), at .. "-0", at .. "-0")[1]
local first = redis.call("XRANGE", key("log"), "-", "+", "COUNT", 1)[1]
local tip_at = entry and string.sub(entry[2][2], -16) or ""
local oldest = first and tonumber(string.match(first[1], "^%d+")) or cx.seq + 1
return {"ok", cx.epoch, cx.seq, cx.tip, tip_at, oldest}

#!lua
-- Route a number of ours to this inbox, or away from it; history stays.
--
-- KEYS[1] inbox prefix
-- derives meta log ev num
-- ARGV[1] number
-- ARGV[2] on
-- Returns {"ok", seq} | {"not_found"}
--- @include "lib/log"
local number, on = ARGV[1], ARGV[2] == "1"
local cx = open()
if not cx then return {"not_found"} end
if (redis.call("SISMEMBER", key("num"), number) == 1) == on then return {"ok", cx.seq} end
redis.call(on and "SADD" or "SREM", key("num"), number)
tick(cx)
emit(cx, {type = "inbox_changed", actor = "", number = number, on = on})
commit_log(cx)
return {"ok", cx.seq}

#!lua
-- Let a number of ours deliver to this inbox, or no longer; history stays. `at` is the position in
-- the organisation's log at which this was wanted: whoever read the directory earlier is too late.
-- It comes only with what its customers said (`brought`): who takes it for there already may be wrong.
--
-- KEYS[1] inbox prefix
-- derives meta log ev num
-- ARGV[1] number
-- ARGV[2] on
-- ARGV[3] at
-- ARGV[4] brought
-- Returns {"ok", seq} | {"stale", at} | {"absent"} | {"not_found"}
--- @include "lib/log"
local number, on, at = ARGV[1], ARGV[2] == "1", tonumber(ARGV[3])
local cx = open()
if not cx then return {"not_found"} end
local last = tonumber(redis.call("HGET", key("meta"), "num:" .. number) or 0)
local same = (redis.call("SISMEMBER", key("num"), number) == 1) == on
if at < last then return {"stale", last} end
if on and not same and ARGV[4] ~= "1" then return {"absent"} end
redis.call("HSET", key("meta"), "num:" .. number, at)
if same then return {"ok", cx.seq} end
redis.call(on and "SADD" or "SREM", key("num"), number)
tick(cx)
emit(cx, {type = "inbox_changed", actor = "", number = number, on = on})
commit_log(cx)
return {"ok", cx.seq}

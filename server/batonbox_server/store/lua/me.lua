#!lua
-- The private half of one user's badge, at its own position: the smaller of seen and unseen.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem unm su gm mv
-- writes nothing
-- ARGV[1] user
-- Returns {"ok", seq, tip, mv, standing, which, keys, green, blue} | {"not_found"}
--- @include "lib/log"
local user = ARGV[1]
local cx = open()
if not cx then return {"not_found"} end
local unm, su = key("unm"), key("su", user)
local seen = redis.call("SINTERCARD", 2, unm, su)
local waiting = redis.call("SCARD", unm)
local which = 2 * seen <= waiting and "seen" or "unseen"
return {"ok", cx.seq, cx.tip, tonumber(redis.call("HGET", key("mv"), user) or 0),
  redis.call("HGET", key("mem"), user) or "", which,
  redis.call(which == "seen" and "SINTER" or "SDIFF", unm, su),
  redis.call("SMEMBERS", key("gm", user)), waiting - seen}

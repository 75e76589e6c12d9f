#!lua
-- An inbox as its own slot knows it.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem num av
-- writes nothing
-- Returns {"ok", epoch, seq, members, numbers, options, away} | {"not_found"}
--- @include "lib/log"
local cx = open()
if not cx then return {"not_found"} end
return {"ok", cx.epoch, cx.seq, redis.call("HGETALL", key("mem")),
  redis.call("SMEMBERS", key("num")),
  redis.call("HGET", key("meta"), "options") or "", redis.call("HGETALL", key("av"))}

#!lua
-- An inbox as its own slot knows it.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem num due
-- Returns {"ok", epoch, seq, members, numbers, due} | {"not_found"}
--- @include "lib/log"
local cx = open()
if not cx then return {"not_found"} end
return {"ok", cx.epoch, cx.seq, redis.call("HGETALL", key("mem")),
  redis.call("SMEMBERS", key("num")),
  redis.call("ZRANGEBYSCORE", key("due"), "-inf", cx.now, "LIMIT", 0, 16)}

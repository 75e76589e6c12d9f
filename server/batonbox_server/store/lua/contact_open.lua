#!lua
-- Make the contacts' log on a new engine; its epoch is random.
--
-- KEYS[1] contacts prefix
-- derives meta log ev
-- ARGV[1] epoch
-- ARGV[2] keep
-- Returns {"ok"} | {"exists"}
--- @include "lib/log"
local epoch, keep = unpack(ARGV)
if open() then return {"exists"} end
redis.call("DEL", key("log"))
redis.call("HSET", key("meta"), "epoch", epoch, "seq", 0, "tip", string.rep("0", 16),
  "last_ms", 0, "keep", keep, "schema", 1)
return {"ok"}

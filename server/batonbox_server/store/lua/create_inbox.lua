#!lua
-- Make an inbox's log. The only verb that writes a missing :meta; its epoch is random.
--
-- KEYS[1] inbox prefix
-- derives meta log ev
-- ARGV[1] epoch
-- ARGV[2] keep
-- Returns {"ok"} | {"exists"}
--- @include "lib/log"
local epoch, keep = unpack(ARGV)
if open() then return {"exists"} end
redis.call("DEL", key("meta"), key("log"))
redis.call("HSET", key("meta"), "epoch", epoch, "seq", 0, "tip", string.rep("0", 16),
  "last_ms", 0, "keep", keep, "schema", 2, "kept", "all")
local cx = open()
tick(cx)
emit(cx, {type = "inbox_created", actor = ""})
commit_log(cx)
return {"ok"}

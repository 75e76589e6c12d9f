#!lua
-- Make the organisation's log on a new engine; its epoch and its signing secret are random.
--
-- KEYS[1] organisation prefix
-- derives meta log ev secret
-- ARGV[1] epoch
-- ARGV[2] keep
-- ARGV[3] secret
-- Returns {"ok"} | {"exists"}
--- @include "lib/log"
local epoch, keep, secret = unpack(ARGV)
if open() then return {"exists"} end
redis.call("DEL", key("log"))
redis.call("HSET", key("meta"), "epoch", epoch, "seq", 0, "tip", string.rep("0", 16),
  "last_ms", 0, "keep", keep, "schema", 1)
redis.call("SET", key("secret"), secret, "NX")
return {"ok"}

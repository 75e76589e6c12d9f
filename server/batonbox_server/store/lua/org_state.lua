#!lua
-- One instant of the directory.
--
-- KEYS[1] organisation prefix
-- derives meta log ev users inboxes routes profile
-- writes nothing
-- Returns {"ok", epoch, seq, tip, users, inboxes, routes, name} | {"not_found"}
--- @include "lib/log"
local cx = open()
if not cx then return {"not_found"} end
return {"ok", cx.epoch, cx.seq, cx.tip, redis.call("HGETALL", key("users")),
  redis.call("HGETALL", key("inboxes")), redis.call("HGETALL", key("routes")),
  redis.call("HGET", key("profile"), "name") or ""}

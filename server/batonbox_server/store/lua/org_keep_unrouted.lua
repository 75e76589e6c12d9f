#!lua
-- Keep a message that no inbox wants, once per provider id; the oldest give way.
--
-- KEYS[1] organisation prefix
-- derives unrouted unrouted_ids
-- ARGV[1] id
-- ARGV[2] record
-- ARGV[3] most
-- Returns {"ok", kept}
--- @include "lib/keys"
local id, record, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call("HSETNX", key("unrouted"), id, record) == 0 then return {"ok", 0} end
redis.call("RPUSH", key("unrouted_ids"), id)
if redis.call("LLEN", key("unrouted_ids")) > most then
  redis.call("HDEL", key("unrouted"), redis.call("LPOP", key("unrouted_ids")))
end
return {"ok", 1}

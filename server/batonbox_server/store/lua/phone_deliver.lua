#!lua
-- Put a message on a simulated phone, once per id, unless the phone was told to fail.
--
-- KEYS[1] number prefix
-- derives phone phone_ids fail
-- ARGV[1] id
-- ARGV[2] record
-- ARGV[3] most
-- Returns {"ok", fresh} | {"failed", permanent, reason}
--- @include "lib/keys"
local id, record, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call("HEXISTS", key("phone_ids"), id) == 1 then return {"ok", 0} end
local fail = redis.call("HMGET", key("fail"), "count", "permanent", "reason")
if fail[1] and tonumber(fail[1]) > 0 then
  redis.call("HINCRBY", key("fail"), "count", -1)
  return {"failed", fail[2], fail[3]}
end
redis.call("HSET", key("phone_ids"), id, 1)
redis.call("RPUSH", key("phone"), record)
if redis.call("LLEN", key("phone")) > most then
  redis.call("HDEL", key("phone_ids"), cmsgpack.unpack(redis.call("LPOP", key("phone"))).id)
end
return {"ok", 1}

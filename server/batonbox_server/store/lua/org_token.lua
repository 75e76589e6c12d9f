#!lua
-- The token whose secret has this hash, and its end (0: none).
--
-- KEYS[1] organisation prefix
-- derives tokens tk exp
-- writes nothing
-- ARGV[1] sha256
-- Returns {"ok", record, expires_ms} | {"expired", id} | {"not_found"}
--- @include "lib/keys"
local id = redis.call("HGET", key("tk"), ARGV[1])
local record = id and redis.call("HGET", key("tokens"), id)
if not record then return {"not_found"} end
local expires_ms = tonumber(redis.call("ZSCORE", key("exp"), id) or 0)
local t = redis.call("TIME")
if expires_ms > 0 and expires_ms <= t[1] * 1000 + math.floor(t[2] / 1000) then
  return {"expired", id}
end
return {"ok", record, expires_ms}

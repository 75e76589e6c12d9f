#!lua
-- Note when a token was used. Not in the log: nobody has to be told, and it is too often.
--
-- KEYS[1] organisation prefix
-- derives tokens
-- ARGV[1] id
-- ARGV[2] at_ms
-- Returns {"ok"} | {"not_found"}
--- @include "lib/keys"
local raw = redis.call("HGET", key("tokens"), ARGV[1])
if not raw then return {"not_found"} end
local token = cmsgpack.unpack(raw)
token.used_ms = math.max(token.used_ms or 0, tonumber(ARGV[2]))
redis.call("HSET", key("tokens"), ARGV[1], cmsgpack.pack(token))
return {"ok"}

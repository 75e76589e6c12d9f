#!lua
-- Let a session last longer.
--
-- KEYS[1] organisation prefix
-- derives exp
-- ARGV[1] id
-- ARGV[2] expires_ms
-- Returns {"ok"}
--- @include "lib/keys"
redis.call("ZADD", key("exp"), "XX", "GT", ARGV[2], ARGV[1])
return {"ok"}

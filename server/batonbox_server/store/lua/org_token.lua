#!lua
-- The token whose secret has this hash.
--
-- KEYS[1] organisation prefix
-- derives tokens tk
-- ARGV[1] sha256
-- Returns {"ok", record} | {"not_found"}
--- @include "lib/keys"
local id = redis.call("HGET", key("tk"), ARGV[1])
local record = id and redis.call("HGET", key("tokens"), id)
return record and {"ok", record} or {"not_found"}

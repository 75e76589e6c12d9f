#!lua
-- Who moves this log's things to the archive: whoever has the lease, or takes it when there is none.
--
-- KEYS[1] log prefix
-- derives arl
-- ARGV[1] holder
-- ARGV[2] lease_ms
-- Returns {"ok"} | {"taken"}
--- @include "lib/keys"
local now = redis.call("GET", key("arl"))
if now and now ~= ARGV[1] then return {"taken"} end
redis.call("SET", key("arl"), ARGV[1], "PX", tonumber(ARGV[2]))
return {"ok"}

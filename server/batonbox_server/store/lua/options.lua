#!lua
-- How this inbox treats what its owners do not do. `at` is the position in the organisation's log at
-- which this was wanted: whoever read the directory earlier is too late.
--
-- KEYS[1] inbox prefix
-- derives meta log ev
-- ARGV[1] packed
-- ARGV[2] at
-- Returns {"ok"} | {"stale", at} | {"not_found"}
--- @include "lib/log"
local packed, at = ARGV[1], tonumber(ARGV[2])
if not open() then return {"not_found"} end
local last = tonumber(redis.call("HGET", key("meta"), "options_at") or 0)
if at < last then return {"stale", last} end
redis.call("HSET", key("meta"), "options", packed, "options_at", at)
return {"ok"}

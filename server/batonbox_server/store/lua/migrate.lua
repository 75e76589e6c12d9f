#!lua
-- A step on a log's way to the present layout, n conversations at a time: what owners owe is indexed,
-- how much of each thread is here is counted. Every step may come twice, and while others write.
--
-- KEYS[1] log prefix
-- derives meta log ev c op done ow gone sno ar av off mem
-- ARGV[1] n
-- Returns {"ok", more} | {"not_found"}
--- @include "lib/indexed"
--- @include "lib/counted"
local n = tonumber(ARGV[1])
if not open() then return {"not_found"} end
if index_owed(n) == 1 then return {"ok", 1} end
count_kept(n)
return {"ok", redis.call("HGET", key("meta"), "kept") == "all" and 0 or 1}

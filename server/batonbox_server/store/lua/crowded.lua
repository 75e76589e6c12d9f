#!lua
-- Conversations with at least `least` lines here, the fullest first. What was here before they were
-- counted is put in by and by: until then some are missing.
--
-- KEYS[1] log prefix
-- derives meta log ev c op done ar
-- ARGV[1] least
-- ARGV[2] skip
-- ARGV[3] n
-- Returns {"ok", convs} | {"not_found"}
--- @include "lib/row"
--- @include "lib/counted"
if not open() then return {"not_found"} end
count_kept(500)
return {"ok", redis.call("ZRANGE", key("ar"), "+inf", ARGV[1], "BYSCORE", "REV", "LIMIT",
  tonumber(ARGV[2]), tonumber(ARGV[3]))}

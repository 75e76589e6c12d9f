#!lua
-- How many conversations wait to leave the engine: with at least `least` lines here, or done before
-- `before_ms`; since when the oldest of those; how many are held, how many are away.
--
-- KEYS[1] log prefix
-- derives meta log ev ar done hold
-- ARGV[1] least
-- ARGV[2] before_ms
-- Returns {"ok", crowded, due, oldest_ms, holds, away} | {"not_found"}
--- @include "lib/log"
if not open() then return {"not_found"} end
local before = "(" .. ARGV[2]
local oldest = redis.call("ZRANGEBYSCORE", key("done"), "-inf", before, "WITHSCORES", "LIMIT", 0, 1)
return {"ok", redis.call("ZCOUNT", key("ar"), ARGV[1], "+inf"),
  redis.call("ZCOUNT", key("done"), "-inf", before), oldest[2] or "0",
  redis.call("HLEN", key("hold")), redis.call("HGET", key("meta"), "away") or "0"}

#!lua
-- How many conversations wait to leave the engine: with at least `least` lines here, or done before
-- `before_ms` and not held; since when the oldest of those; how many are held, how many are away.
--
-- KEYS[1] log prefix
-- derives meta log ev ar done hold
-- ARGV[1] least
-- ARGV[2] before_ms
-- Returns {"ok", crowded, due, oldest_ms, holds, away} | {"not_found"}
--- @include "lib/log"
if not open() then return {"not_found"} end
local before, held = "(" .. ARGV[2], {}
local due, holds = redis.call("ZCOUNT", key("done"), "-inf", before), 0
for _, conv in ipairs(redis.call("HKEYS", key("hold"))) do
  local at = redis.call("ZSCORE", key("done"), conv)
  if at and tonumber(at) < tonumber(ARGV[2]) then due = due - 1 end
  held[conv], holds = true, holds + 1
end
local found = redis.call("ZRANGEBYSCORE", key("done"), "-inf", before, "WITHSCORES", "LIMIT", 0,
  holds + 1)
local oldest = "0"
for i = 1, #found, 2 do
  if not held[found[i]] then
    oldest = found[i + 1]
    break
  end
end
return {"ok", redis.call("ZCOUNT", key("ar"), ARGV[1], "+inf"), due, oldest, holds,
  redis.call("HGET", key("meta"), "away") or "0"}

#!lua
-- A user's tokens, and the ends of those that are sessions (0: none).
--
-- KEYS[1] organisation prefix
-- derives tokens ut exp
-- writes nothing
-- ARGV[1] user
-- Returns {"ok", records, ends}
--- @include "lib/keys"
local records, ends = {}, {}
for _, id in ipairs(redis.call("SMEMBERS", key("ut", ARGV[1]))) do
  table.insert(records, redis.call("HGET", key("tokens"), id))
  table.insert(ends, tonumber(redis.call("ZSCORE", key("exp"), id) or 0))
end
return {"ok", records, ends}

#!lua
-- A user's tokens.
--
-- KEYS[1] organisation prefix
-- derives tokens ut
-- ARGV[1] user
-- Returns {"ok", records}
--- @include "lib/keys"
local records = {}
for _, id in ipairs(redis.call("SMEMBERS", key("ut", ARGV[1]))) do
  table.insert(records, redis.call("HGET", key("tokens"), id))
end
return {"ok", records}

#!lua
-- The archive has lost a conversation that is away: its customer's next message begins another.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c cx
-- ARGV[1] conv
-- ARGV[2] pair
-- Returns {"ok"} | {"here"} | {"not_found"}
--- @include "lib/log"
local conv, pair = ARGV[1], ARGV[2]
if not open() then return {"not_found"} end
local here = redis.call("EXISTS", key("c", conv)) == 1
if here or redis.call("HGET", key("cx"), pair) ~= conv then return {"here"} end
redis.call("HDEL", key("cx"), pair)
redis.call("HINCRBY", key("meta"), "away", -1)
return {"ok"}

#!lua
-- Let go of a done conversation: the archive has its row as `digest` says, and all its lines. Which
-- conversation our number and the customer have is kept, and how many are away; and for a minute what
-- left, so that nobody who read the archive before puts an older one in its place.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c m why ar hold out done left
-- ARGV[1] conv
-- ARGV[2] digest
-- Returns {"ok"} | {"changed"} | {"not_found"}
--- @include "lib/leaving"
local conv, digest = ARGV[1], ARGV[2]
local c = open() and read_row(conv)
if not c then return {"not_found"} end
if not may_leave(c) or row_digest(redis.call("HGETALL", key("c", conv))) ~= digest then
  return {"changed"}
end
redis.call("DEL", key("c", conv), key("m", conv))
redis.call("ZREM", key("done"), conv)
redis.call("ZREM", key("ar"), conv)
redis.call("HINCRBY", key("meta"), "away", 1)
redis.call("SET", key("left", conv), digest, "PX", 60000)
return {"ok"}

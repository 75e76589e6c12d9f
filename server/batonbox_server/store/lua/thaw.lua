#!lua
-- Put a row that left back as it was. `raw` is every field and its value. Refused when the
-- conversation is here, or is no more: what was erased does not come back; nor, while that is known,
-- a row that is older than the one that left.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c m why ar hold out cx done left
-- ARGV[1] conv
-- ARGV[2] raw
-- Returns {"ok"} | {"here"} | {"gone"} | {"older"} | {"not_found"}
--- @include "lib/leaving"
local conv, raw = ARGV[1], cmsgpack.unpack(ARGV[2])
if not open() then return {"not_found"} end
if redis.call("EXISTS", key("c", conv)) == 1 then return {"here"} end
local c = {}
for i = 1, #raw, 2 do c[raw[i]] = raw[i + 1] end
if redis.call("HGET", key("cx"), c.our .. "|" .. c.customer) ~= conv then return {"gone"} end
local left = redis.call("GET", key("left", conv))
if left and left ~= row_digest(raw) then return {"older"} end
redis.call("HSET", key("c", conv), unpack(raw))
redis.call("ZADD", key("done"), c.last_ms, conv)
redis.call("HINCRBY", key("meta"), "away", -1)
return {"ok"}

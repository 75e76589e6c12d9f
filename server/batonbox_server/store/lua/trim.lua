#!lua
-- Let go of a conversation's oldest lines, up to number `upto`: the archive has them as `digest` says.
--
-- KEYS[1] log prefix
-- derives meta log ev c m why ar hold out try
-- ARGV[1] conv
-- ARGV[2] upto
-- ARGV[3] digest
-- Returns {"ok", how many left by this call} | {"changed"} | {"not_found"}
--- @include "lib/leaving"
local conv, upto, digest = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local c = open() and read_row(conv)
if not c then return {"not_found"} end
local count = upto - c.trimmed
if count <= 0 then return {"ok", 0} end
if upto > c.n then return {"changed"} end
local lines, reasons, items = oldest(c, count)
if digest_of(lines, reasons) ~= digest then return {"changed"} end
redis.call("LTRIM", key("m", conv), count, -1)
redis.call("HSET", key("c", conv), "trimmed", upto)
redis.call("HDEL", key("why"), unpack(items))
redis.call("HDEL", key("try"), unpack(items))
index_held(conv, c.n - c.trimmed, c.n - upto)
return {"ok", count}

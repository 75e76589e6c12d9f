#!lua
-- A webhook's deliveries, the newest first (`n` 0: none of them), since when it fails and when the
-- last one arrived (0: not).
--
-- KEYS[1] webhook prefix
-- derives d at st
-- writes nothing
-- ARGV[1] n
-- Returns {"ok", failing, last, records}
--- @include "lib/keys"
local ids, records = redis.call("ZREVRANGE", key("at"), 0, tonumber(ARGV[1]) - 1), {}
if tonumber(ARGV[1]) == 0 then ids = {} end
if #ids > 0 then records = redis.call("HMGET", key("d"), unpack(ids)) end
local st = redis.call("HMGET", key("st"), "failing", "last")
return {"ok", tonumber(st[1] or 0), tonumber(st[2] or 0), records}

#!lua
-- What customers last said about being written to from this number, a batch at a time; begin and
-- end at cursor 0.
--
-- KEYS[1] number prefix
-- derives oo
-- writes nothing
-- ARGV[1] cursor
-- ARGV[2] n
-- Returns {"ok", cursor, said}
--- @include "lib/keys"
local found = redis.call("HSCAN", key("oo"), ARGV[1], "COUNT", ARGV[2])
return {"ok", found[1], found[2]}

#!lua
-- Up to n lines of a conversation that stand in the engine, from number `first` on, with what its row
-- says of their numbers and what of it waits to be sent, at one instant.
--
-- KEYS[1] log prefix
-- derives meta log ev c m out
-- writes nothing
-- ARGV[1] conv
-- ARGV[2] first
-- ARGV[3] n
-- Returns {"ok", seq, last, trimmed, lines, out} | {"not_found"}
--- @include "lib/row"
local conv, first, n = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local cx = open()
local c = cx and read_row(conv)
if not c then return {"not_found"} end
local from = math.max(0, first - 1 - c.trimmed)
return {"ok", cx.seq, c.n, c.trimmed, redis.call("LRANGE", key("m", conv), from, from + n - 1),
  redis.call("LRANGE", key("out", conv), 0, -1)}

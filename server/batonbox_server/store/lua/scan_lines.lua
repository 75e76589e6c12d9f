#!lua
-- A row and up to n of its lines that stand in the engine, from number `first` on, for the search
-- index.
--
-- KEYS[1] log prefix
-- derives meta log ev c m
-- writes nothing
-- ARGV[1] conv
-- ARGV[2] first
-- ARGV[3] n
-- Returns {"ok", epoch, seq, tip, row, lines} | {"not_found"}
--- @include "lib/row"
local conv, first, n = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local cx = open()
if not cx then return {"not_found"} end
local c = read_row(conv)
if not c then return {"not_found"} end
local from = math.max(0, first - 1 - c.trimmed)
local lines = redis.call("LRANGE", key("m", conv), from, from + n - 1)
return {"ok", cx.epoch, cx.seq, cx.tip, cur(c), lines}

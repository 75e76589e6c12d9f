#!lua
-- One instant of a room for everybody in it: its row, and who is in it since when.
--
-- KEYS[1] room prefix
-- derives meta log ev mem c
-- writes nothing
-- Returns {"ok", epoch, seq, tip, row, members} | {"not_found"}
--- @include "lib/row"
local cx = open()
local c = cx and read_row(ID)
if not c then return {"not_found"} end
return {"ok", cx.epoch, cx.seq, cx.tip, cur(c), redis.call("HGETALL", key("mem"))}

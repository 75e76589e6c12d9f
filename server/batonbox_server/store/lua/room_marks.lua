#!lua
-- One person's private half of a room, at its own position, and the row with it.
--
-- KEYS[1] room prefix
-- derives meta log ev mem c mv rd at
-- writes nothing
-- ARGV[1] user
-- Returns {"ok", seq, tip, mv, standing, read, mentions, row} | {"not_found"}
--- @include "lib/row"
local user = ARGV[1]
local cx = open()
local c = cx and read_row(ID)
if not c then return {"not_found"} end
return {"ok", cx.seq, cx.tip, tonumber(redis.call("HGET", key("mv"), user) or 0),
  redis.call("HGET", key("mem"), user) or "",
  tonumber(redis.call("HGET", key("rd"), user) or 0),
  redis.call("ZRANGE", key("at", user), 0, -1), cur(c)}

#!lua
-- The private halves of several people at one position, for a node that has them connected.
--
-- KEYS[1] room prefix
-- derives meta log ev mem c mv rd at
-- writes nothing
-- ARGV[1] users
-- Returns {"ok", seq, tip, found} | {"not_found"}
--- @include "lib/row"
local cx = open()
if not cx or not read_row(ID) then return {"not_found"} end
local found = {}
for user in string.gmatch(ARGV[1], "%S+") do
  table.insert(found, {user, tonumber(redis.call("HGET", key("mv"), user) or 0),
    redis.call("HGET", key("mem"), user) or "",
    tonumber(redis.call("HGET", key("rd"), user) or 0),
    redis.call("ZRANGE", key("at", user), 0, -1)})
end
return {"ok", cx.seq, cx.tip, found}

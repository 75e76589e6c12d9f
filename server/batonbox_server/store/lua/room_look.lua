#!lua
-- What the organisation's index holds of a room: its row, and who of these is in it. However many
-- people a room has, it costs as much as those who are asked about.
--
-- KEYS[1] room prefix
-- derives meta log ev mem c
-- writes nothing
-- ARGV[1] users
-- Returns {"ok", row, inside} | {"not_found"}
--- @include "lib/row"
local c = open() and read_row(ID)
if not c then return {"not_found"} end
local inside = {}
for user in string.gmatch(ARGV[1], "%S+") do
  if redis.call("HEXISTS", key("mem"), user) == 1 then table.insert(inside, user) end
end
return {"ok", cur(c), inside}

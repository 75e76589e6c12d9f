#!lua
-- Whether rows of the archive are what counts: `asked` is {conv, pair, conv, pair, ...}. Of each its
-- row when the conversation is here, "away" when it is not, "" when it is no more.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c cx
-- writes nothing
-- ARGV[1] asked
-- Returns {"ok", seq, tip, found} | {"not_found"}
--- @include "lib/row"
local asked, found = cmsgpack.unpack(ARGV[1]), {}
local cx = open()
if not cx then return {"not_found"} end
for i = 1, #asked, 2 do
  local c = read_row(asked[i])
  local away = not c and redis.call("HGET", key("cx"), asked[i + 1]) == asked[i]
  table.insert(found, c and cur(c) or (away and "away" or ""))
end
return {"ok", cx.seq, cx.tip, found}

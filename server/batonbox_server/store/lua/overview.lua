#!lua
-- How much waits in an inbox, since when, and who holds how much: sizes of indexes, never a scan.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem un wq as
-- Returns {"ok", unassigned, oldest_ms, holders} | {"not_found"}
--- @include "lib/log"
if not open() then return {"not_found"} end
local oldest = redis.call("ZRANGE", key("wq"), 0, 0, "WITHSCORES")
local holders = {}
for _, user in ipairs(redis.call("HKEYS", key("mem"))) do
  local held = redis.call("ZCARD", key("as", user))
  if held > 0 then
    table.insert(holders, user)
    table.insert(holders, held)
  end
end
return {"ok", redis.call("ZCARD", key("un")), tonumber(oldest[2] or 0), holders}

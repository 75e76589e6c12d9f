#!lua
-- How much waits in an inbox, since when, and who holds how much: sizes of indexes, never a scan.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem un wq as due
-- writes nothing
-- Returns {"ok", unassigned, oldest_ms, holders} | {"not_found"}
--- @include "lib/log"
if not open() then return {"not_found"} end
local oldest = redis.call("ZRANGE", key("wq"), 0, 0, "WITHSCORES")
local users, holders = {}, {}
for _, user in ipairs(redis.call("HKEYS", key("mem"))) do users[user] = true end
-- Who was removed still has what their removal has not come to.
for _, job in ipairs(redis.call("ZRANGE", key("due"), 0, -1)) do
  users[string.match(job, "^sweep:(.+)$") or ""] = true
end
for user in pairs(users) do
  local held = redis.call("ZCARD", key("as", user))
  if held > 0 then
    table.insert(holders, user)
    table.insert(holders, held)
  end
end
return {"ok", redis.call("ZCARD", key("un")), tonumber(oldest[2] or 0), holders}

#!lua
-- Conversations (or the room) with a line here that is older than `before_ms`, looking at `n` of them
-- behind `after` in the order of their last change; `next` is how far that has come.
--
-- KEYS[1] log prefix
-- derives meta log ev m op done
-- writes nothing
-- ARGV[1] room
-- ARGV[2] before_ms
-- ARGV[3] after
-- ARGV[4] n
-- Returns {"ok", convs, next} | {"not_found"}
--- @include "lib/log"
local room, before, after, n = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
if not open() then return {"not_found"} end
local found, far = {}, {}
for _, index in ipairs(room == "" and {key("op"), key("done")} or {}) do
  local from = after == "" and "-inf" or "(" .. after
  local some = redis.call("ZRANGEBYSCORE", index, from, "+inf", "WITHSCORES", "LIMIT", 0, n)
  for i = 1, #some, 2 do table.insert(found, {some[i], tonumber(some[i + 1])}) end
  if #some == 2 * n then table.insert(far, tonumber(some[#some])) end
end
if room ~= "" then found = {{room, 0}} end
local till, convs = #far > 0 and math.min(unpack(far)) or math.huge, {}
for _, each in ipairs(found) do
  local first = each[2] <= till and redis.call("LINDEX", key("m", each[1]), 0)
  if first and cmsgpack.unpack(first)[3] < before then table.insert(convs, each[1]) end
end
return {"ok", convs, #far > 0 and string.format("%.0f", till) or ""}

--- @include "lib/row"
--- @include "lib/kept"
-- Inboxes that are older than `ar`: their conversations are put in by and by, in the order of their
-- last change, done ones too; what changes meanwhile puts itself in. `kept` is how far that has come,
-- "all" at the end.
local function count_kept(n)
  local at = redis.call("HGET", key("meta"), "kept") or "0"
  if at == "all" then return end
  local found, far = {}, {}
  for _, index in ipairs({key("op"), key("done")}) do
    local some = redis.call("ZRANGEBYSCORE", index, "(" .. at, "+inf", "WITHSCORES", "LIMIT", 0, n)
    for i = 1, #some, 2 do table.insert(found, {some[i], tonumber(some[i + 1])}) end
    if #some == 2 * n then table.insert(far, tonumber(some[#some])) end
  end
  -- Both indexes are read up to the same time; what lies behind it in one of them comes again.
  local till = #far > 0 and math.min(unpack(far)) or math.huge
  for _, each in ipairs(found) do
    local c = each[2] <= till and read_row(each[1])
    if c then index_held(c.id, 0, c.n - c.trimmed) end
  end
  redis.call("HSET", key("meta"), "kept", #far > 0 and string.format("%.0f", till) or "all")
end

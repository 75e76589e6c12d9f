#!lua
-- Hand due outbound messages to one caller; nobody else gets them before the lease ends.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c m out try
-- ARGV[1] lease_ms
-- ARGV[2] n
-- Returns {"ok", items} | {"not_found"}
--- @include "lib/row"
--- @include "lib/thread"
local lease_ms, n = tonumber(ARGV[1]), tonumber(ARGV[2])
local cx = open()
if not cx then return {"not_found"} end
local items = {}
for _, item in ipairs(redis.call("ZRANGEBYSCORE", key("out"), "-inf", cx.now, "LIMIT", 0, n)) do
  local conv, number = string.match(item, "^(.*):(%d+)$")
  local c = read_row(conv)
  local entry = c and line(conv, tonumber(number), c.trimmed)
  if entry then
    redis.call("ZADD", key("out"), cx.now + lease_ms, item)
    local attempt = redis.call("HINCRBY", key("try"), item, 1)
    table.insert(items, {conv, tonumber(number), c.our, c.customer, attempt, entry.head[2],
      entry.body})
  else
    redis.call("ZREM", key("out"), item)
  end
end
return {"ok", items}

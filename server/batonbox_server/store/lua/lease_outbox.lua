#!lua
-- Hand due outbound messages to one caller, the head of each conversation's line; neither it nor
-- what waits behind it goes to anybody else before the lease ends.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c m out try
-- ARGV[1] lease_ms
-- ARGV[2] n
-- Returns {"ok", items} | {"not_found"}
--- @include "lib/row"
--- @include "lib/thread"
--- @include "lib/outbox"
local lease_ms, n = tonumber(ARGV[1]), tonumber(ARGV[2])
local cx = open()
if not cx then return {"not_found"} end
local items = {}
for _, conv in ipairs(redis.call("ZRANGEBYSCORE", key("out"), "-inf", cx.now, "LIMIT", 0, n)) do
  local c, head = read_row(conv), first_in_line(conv)
  local entry = c and head and line(conv, tonumber(head), c.trimmed)
  if entry then
    redis.call("ZADD", key("out"), cx.now + lease_ms, conv)
    local attempt = redis.call("HINCRBY", key("try"), conv .. ":" .. head, 1)
    table.insert(items, {conv, tonumber(head), c.our, c.customer, attempt, entry.head[2],
      entry.body})
  else
    redis.call("HDEL", key("try"), conv .. ":" .. (head or ""))
    dequeue(cx, conv, head or "")
  end
end
return {"ok", items}

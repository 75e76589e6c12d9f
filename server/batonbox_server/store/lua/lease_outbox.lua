#!lua
-- Hand due outbound messages to one caller, the head of each conversation's line; neither it nor
-- what waits behind it goes to anybody else before the lease ends. `stopped`: the customer opted
-- out meanwhile, and this is no automatic answer: it is to be failed. `turn` names the lease,
-- `attempt` counts those that were for sending; `unsettled`: one of them ended without an answer.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c m out try oo
-- ARGV[1] lease_ms
-- ARGV[2] n
-- Returns {"ok", items} | {"not_found"}
--- @include "lib/row"
--- @include "lib/thread"
--- @include "lib/outbox"
--- @include "lib/sends"
--- @include "lib/optout"
local lease_ms, n = tonumber(ARGV[1]), tonumber(ARGV[2])
local cx = open()
if not cx then return {"not_found"} end
local items = {}
for _, conv in ipairs(redis.call("ZRANGEBYSCORE", key("out"), "-inf", cx.now, "LIMIT", 0, n)) do
  local c, head = read_row(conv), first_in_line(conv)
  local entry = c and head and line(conv, tonumber(head), c.trimmed)
  local item = conv .. ":" .. (head or "")
  if entry then
    local t = attempts(item)
    t.turn, t.unsettled, t.open = t.turn + 1, t.unsettled or t.open, true
    redis.call("ZADD", key("out"), cx.now + lease_ms, conv)
    keep_attempts(item, t)
    local stopped = entry.head[4] ~= "answered" and blocked_since(c.our, c.customer) > 0
    table.insert(items, {conv, tonumber(head), c.our, c.customer, t.turn, t.turn - t.free, t.free,
      t.unsettled and 1 or 0, stopped and 1 or 0, entry.head[3], entry.body})
  else
    redis.call("HDEL", key("try"), item)
    dequeue(cx, conv, head or "")
  end
end
return {"ok", items}

#!lua
-- Record what became of an outbound message; it only moves forward, receipts come in any order.
-- Whatever it is, the message has left its line: the next one of the conversation is due. After a
-- `receipt` of failure the message may be queued again: what else is said of that sending, by the
-- same carrier_id, ends no later one.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out try why pm oo av off ow gone sno i au ar
-- ARGV[1] conv
-- ARGV[2] n
-- ARGV[3] state
-- ARGV[4] carrier_id
-- ARGV[5] reason
-- ARGV[6] unsettled
-- ARGV[7] receipt
-- Returns {"ok", seq, waiting} | {"not_found"}
--- @include "lib/command"
--- @include "lib/thread"
--- @include "lib/sends"
local conv, n, state, carrier_id, reason = unpack(ARGV)
local receipt = ARGV[7] == "1"
local cx = open()
if not cx then return {"not_found"} end
plan(cx)
local c = load(cx, conv)
local entry = c and line(conv, tonumber(n), c.trimmed)
if not entry or entry.head[7] == "" then return {"not_found"} end
local item, now = conv .. ":" .. n, entry.head[7]
local known = carrier_id ~= "" and redis.call("GET", key("pm", carrier_id))
if receipt and known == "-" .. item and state ~= "delivered" then
  return {"ok", 0, redis.call("LLEN", key("out", conv))}
end
if carrier_id ~= "" then
  local place = (receipt and state == "failed" and "-" or "") .. item
  redis.call("SET", key("pm", carrier_id), place, "PX", 604800000)
end
if state == "failed" and now == "queued" and carrier_id == "" then
  forget_attempts(item, ARGV[6] == "1")
else
  redis.call("HDEL", key("try"), item)
end
local waiting = dequeue(cx, conv, n)
-- A carrier that fails a message may still deliver it, never the other way round.
if RANK[state] <= RANK[now] and not (now == "failed" and state == "delivered") then
  return {"ok", 0, waiting}
end
if now == "delivered" then return {"ok", 0, waiting} end
tick(cx)
set_state(conv, entry, state)
if state == "failed" and reason ~= "" then
  redis.call("HSET", key("why"), item, reason)
else
  redis.call("HDEL", key("why"), item)
end
delivery_event(cx, c, entry, state, "", "", reason ~= "" and reason or nil)
commit(cx)
return {"ok", cx.seq, waiting}

#!lua
-- Append a customer's message; get-or-create of the conversation and dedupe are the same step.
-- A refusal is final for every turn up to this one (number_pin.lua): another inbox may be chosen,
-- and nobody who is late stores the message here. Turn 0: nobody else is asked.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m cx p num gm su as un wq op done unm out oo av off ow gone sno i au ar
-- ARGV[1] candidate
-- ARGV[2] our
-- ARGV[3] customer
-- ARGV[4] provider_id
-- ARGV[5] body
-- ARGV[6] preview
-- ARGV[7] turn
-- ARGV[8] keyword
-- Returns {"ok", conv, n, seq, answered} | {"archived", conv} | {"duplicate", place} | {"not_found"} | {"number_not_routed"}
--- @include "lib/command"
local candidate, our, customer, provider_id, body, preview = unpack(ARGV)
local turn, gone = tonumber(ARGV[7]), 0
local place = redis.call("GET", key("p", provider_id))
if place and string.sub(place, 1, 1) == "~" then
  place, gone = nil, tonumber(string.sub(place, 2))
end
if place then return {"duplicate", place} end
local cx = open()
local ours = cx and redis.call("SISMEMBER", key("num"), our) == 1
if turn > 0 and (not ours or gone >= turn) then
  redis.call("SET", key("p", provider_id), "~" .. math.max(gone, turn), "PX", 604800000)
  return {"number_not_routed"}
end
if not cx then return {"not_found"} end
if not ours then return {"number_not_routed"} end
plan(cx)
local pair = our .. "|" .. customer
local known = redis.call("HGET", key("cx"), pair)
local c
if known then c = load(cx, known) else c = fresh(candidate, our, customer) end
if not c then return {"archived", known} end
release_stale(cx, c)
local said = heard(c, ARGV[8])
if not said.mute then release_absent(cx, c) end
local was, at = before(cx, c), tick(cx)
if said.mute then
  if not known then c.own_tok = mark(cx, "own" .. provider_id) end
else
  reopen(cx, c, provider_id)
  if c.unanswered == 0 then c.waiting_since = at end
  c.att = mark(cx, "in" .. provider_id .. body)
  c.in_seq, c.unanswered, c.unseen = c.att, c.unanswered + 1, c.status == "assigned"
end
c.preview = preview
record(cx, "received", c, was, "", "", {body = body, reason = said.mute})
local n, seq = c.n, cx.seq
if said.answer then answer(cx, c, said.answer) end
commit(cx)
if said.at then redis.call("HSET", key("oo"), pair, said.at) end
if not known then redis.call("HSET", key("cx"), pair, c.id) end
redis.call("SET", key("p", provider_id), cmsgpack.pack({c.id, n, seq}), "PX", 604800000)
return {"ok", c.id, n, seq, said.answer and 1 or 0}

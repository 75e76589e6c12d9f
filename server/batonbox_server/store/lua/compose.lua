#!lua
-- Claim (or create) and send in one step; owned by somebody else is a conflict, nothing is sent.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m cx num gm su as un wq op done unm out oo av off ow gone sno i au ar
-- ARGV[1] candidate
-- ARGV[2] by
-- ARGV[3] our
-- ARGV[4] customer
-- ARGV[5] body
-- ARGV[6] preview
-- Returns {"ok"} | {"archived", conv} | {"conflict", row} | {"number_not_routed"} | {"recipient_opted_out", row} | {"not_found"} | {"forbidden"} | {"idempotency_mismatch"}
--- @include "lib/command"
local candidate, by, our, customer, body, preview = unpack(ARGV)
local cx, me, actor, cid = begin(by, CONTENT_MS)
if not cx then return me end
if redis.call("SISMEMBER", key("num"), our) == 0 then return {"number_not_routed"} end
local pair = our .. "|" .. customer
local known = redis.call("HGET", key("cx"), pair)
if known and redis.call("EXISTS", key("c", known)) == 0 then return {"archived", known} end
local c = known and load(cx, known) or fresh(candidate, our, customer)
release_stale(cx, c)
if c.status == "assigned" and c.assignee ~= actor then
  return refuse(cx, {"conflict", cur(c)})
end
if c.blocked > 0 then return refuse(cx, {"recipient_opted_out", known and cur(c) or nil}) end
join_admin(cx, actor, me)
local was = before(cx, c)
tick(cx)
if c.status ~= "assigned" then to_assigned(cx, c, actor, candidate .. actor .. cid, false) end
c.prev, c.acted_ms = "", cx.last_ms
c.unanswered, c.waiting_since, c.preview = 0, 0, preview
record(cx, "composed", c, was, actor, cid, {body = body, state = "queued"})
table.insert(cx.out, {c.id, c.n})
local reply = finish(cx, c)
if not known then redis.call("HSET", key("cx"), pair, c.id) end
return reply

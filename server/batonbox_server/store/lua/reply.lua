#!lua
-- Append the owner's message and its outbox entry in one step: the reply fence.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m num gm su as un wq op done unm out oo av off ow gone sno i au ar
-- ARGV[1] conv
-- ARGV[2] by
-- ARGV[3] own_tok
-- ARGV[4] body
-- ARGV[5] preview
-- ARGV[6] seen
-- Returns {"ok"} | {"not_owner", row} | {"stale_token", row} | {"number_not_routed"} | {"recipient_opted_out", row} | {"not_found"} | {"forbidden"} | {"idempotency_mismatch"}
--- @include "lib/command"
local conv, by, own_tok, body, preview, seen = unpack(ARGV)
local cx, me, actor, cid = begin(by, CONTENT_MS)
if not cx then return me end
local c = load(cx, conv)
if not c then return {"not_found"} end
release_stale(cx, c)
if c.status ~= "assigned" or c.assignee ~= actor then
  return refuse(cx, {"not_owner", cur(c)})
end
if own_tok ~= "" and own_tok ~= c.own_tok then return refuse(cx, {"stale_token", cur(c)}) end
if redis.call("SISMEMBER", key("num"), c.our) == 0 then return refuse(cx, {"number_not_routed"}) end
if c.blocked > 0 then return refuse(cx, {"recipient_opted_out", cur(c)}) end
local was = before(cx, c)
c.acted_ms = tick(cx)
c.unanswered, c.waiting_since, c.preview = 0, 0, preview
if seen ~= "" and seen == c.att then c.unseen = false end
record(cx, "replied", c, was, actor, cid, {body = body, state = "queued"})
table.insert(cx.out, {c.id, c.n})
return finish(cx, c)

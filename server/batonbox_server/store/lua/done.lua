#!lua
-- Mark as Done. `seen` is the last inbound the actor knows: a newer one refuses ("*": not checked).
-- On an unassigned conversation this is a claim and a done in one step.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out oo av off ow gone sno i au ar
-- ARGV[1] conv
-- ARGV[2] by
-- ARGV[3] own_tok
-- ARGV[4] seen
-- Returns {"ok"} | {"not_owner", row} | {"stale_token", row} | {"token_required", row} | {"new_activity", row} | {"not_found"} | {"forbidden"} | {"idempotency_mismatch"}
--- @include "lib/command"
local conv, by, own_tok, seen = unpack(ARGV)
local cx, me, actor, cid = begin(by, ACTION_MS)
if not cx then return me end
local c = load(cx, conv)
if not c then return {"not_found"} end
release_stale(cx, c)
local refusal
if c.status == "assigned" then
  refusal = fence(c, actor, me, own_tok)
elseif own_tok ~= "" and own_tok ~= c.own_tok then
  refusal = {"stale_token", cur(c)}
end
if not refusal and seen ~= "*" and seen ~= c.in_seq then refusal = {"new_activity", cur(c)} end
if refusal then return refuse(cx, refusal) end
if c.status == "done" then return finish(cx, c, true) end
local origin = before(cx, c)
if c.status == "unassigned" then
  join_admin(cx, actor, me)
  tick(cx)
  to_assigned(cx, c, actor, "claim" .. conv .. actor .. cid, false)
  record(cx, "assigned", c, origin, actor, cid)
end
local was = before(cx, c)
local at = tick(cx)
to_done(cx, c, conv .. actor .. cid)
undoable(c, origin, actor, at)
record(cx, "done", c, was, actor, cid)
return finish(cx, c)

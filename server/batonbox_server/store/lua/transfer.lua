#!lua
-- Hand an assigned conversation over; by an admin to themselves it is the take-over.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out oo av off ow gone sno i au ar
-- ARGV[1] conv
-- ARGV[2] by
-- ARGV[3] own_tok
-- ARGV[4] to
-- ARGV[5] note
-- Returns {"ok"} | {"not_owner", row} | {"stale_token", row} | {"token_required", row} | {"not_found"} | {"forbidden"} | {"target_not_member"} | {"idempotency_mismatch"}
--- @include "lib/command"
local conv, by, own_tok, to, note = unpack(ARGV)
local cx, me, actor, cid = begin(by, ACTION_MS)
if not cx then return me end
local c = load(cx, conv)
if not c then return {"not_found"} end
release_stale(cx, c)
local refusal = fence(c, actor, me, own_tok)
if refusal then return refuse(cx, refusal) end
if c.assignee == to then return finish(cx, c, true) end
local them = member(cx, to)
if not them or (to ~= actor and not them.joined) then return {"target_not_member"} end
if to == actor then join_admin(cx, actor, me) end
local was = before(cx, c)
local at = tick(cx)
to_assigned(cx, c, to, conv .. actor .. cid, true)
undoable(c, was, actor, at)
record(cx, "transferred", c, was, actor, cid, {note = note ~= "" and note or nil})
return finish(cx, c, false, to ~= actor and warning_of(to))

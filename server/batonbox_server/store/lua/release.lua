#!lua
-- Return to Inbox: blue again for everybody but the actor.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out oo av off ow gone sno i au ar
-- ARGV[1] conv
-- ARGV[2] by
-- ARGV[3] own_tok
-- Returns {"ok"} | {"not_owner", row} | {"stale_token", row} | {"token_required", row} | {"not_found"} | {"forbidden"} | {"idempotency_mismatch"}
--- @include "lib/command"
local conv, by, own_tok = unpack(ARGV)
local cx, me, actor, cid = begin(by, ACTION_MS)
if not cx then return me end
local c = load(cx, conv)
if not c then return {"not_found"} end
release_stale(cx, c)
local refusal = fence(c, actor, me, own_tok)
if refusal then return refuse(cx, refusal) end
local was = before(cx, c)
local at = tick(cx)
to_unassigned(cx, c, actor, conv .. actor .. cid)
undoable(c, was, actor, at)
record(cx, "returned", c, was, actor, cid)
return finish(cx, c)

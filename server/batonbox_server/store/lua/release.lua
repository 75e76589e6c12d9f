#!lua
-- Return to Inbox: blue again for everybody but the actor.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un op done unm out i
-- ARGV[1] conv
-- ARGV[2] actor
-- ARGV[3] cid
-- ARGV[4] digest
-- ARGV[5] own_tok
-- Returns {"ok"} | {"not_owner", row} | {"stale_token", row} | {"token_required", row} | {"not_found"} | {"forbidden"} | {"idempotency_mismatch"}
--- @include "lib/command"
local conv, actor, cid, digest, own_tok = unpack(ARGV)
local command = {actor = actor, cid = cid, digest = digest, keep_ms = ACTION_MS}
local cx, me = begin(command)
if not cx then return me end
local c = load(cx, conv)
if not c then return {"not_found"} end
release_stale(cx, c)
local refusal = fence(c, actor, me, own_tok)
if refusal then return refuse(cx, refusal) end
local was = copy(c)
local at = tick(cx)
to_unassigned(cx, c, actor, conv .. actor .. cid)
undoable(c, was, actor, at)
record(cx, "returned", c, was, actor, cid)
return finish(cx, c, command)

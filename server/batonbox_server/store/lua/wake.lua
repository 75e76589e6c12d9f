#!lua
-- End the snooze of one's own conversation; nothing new is in it.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c mem av off au oo gm su i out ow gone sno done as un op wq unm m ar
-- ARGV[1] conv
-- ARGV[2] by
-- ARGV[3] own_tok
-- Returns {"ok"} | {"not_owner", row} | {"stale_token", row} | {"not_found"} | {"forbidden"} | {"idempotency_mismatch"}
--- @include "lib/command"
local conv, by, own_tok = unpack(ARGV)
local cx, me, actor, cid = begin(by, ACTION_MS)
if not cx then return me end
local c = load(cx, conv)
if not c then return {"not_found"} end
release_stale(cx, c)
local refusal = mine(c, actor, own_tok)
if refusal then return refuse(cx, refusal) end
if c.snoozed_until == 0 then return finish(cx, c, true) end
local was = before(cx, c)
c.snoozed_until, c.acted_ms = 0, tick(cx)
record(cx, "woken", c, was, actor, cid, {reason = "owner"})
return finish(cx, c)

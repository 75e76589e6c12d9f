#!lua
-- Put one's own aside until a time; it stays one's own, under the same token, and is not unread.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c mem av off au oo gm su i out ow gone sno done as un op wq unm m ar
-- ARGV[1] conv
-- ARGV[2] by
-- ARGV[3] own_tok
-- ARGV[4] until_ms
-- Returns {"ok"} | {"not_owner", row} | {"stale_token", row} | {"bad_time"} | {"not_found"} | {"forbidden"} | {"idempotency_mismatch"}
--- @include "lib/command"
local LONGEST_MS = 366 * 86400000
local conv, by, own_tok, till = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local cx, me, actor, cid = begin(by, ACTION_MS)
if not cx then return me end
local c = load(cx, conv)
if not c then return {"not_found"} end
release_stale(cx, c)
local refusal = mine(c, actor, own_tok)
if refusal then return refuse(cx, refusal) end
local was, at = before(cx, c), tick(cx)
if till <= at or till > at + LONGEST_MS then return {"bad_time"} end
c.snoozed_until, c.acted_ms, c.unseen = till, at, false
record(cx, "snoozed", c, was, actor, cid, {till = till})
return finish(cx, c)

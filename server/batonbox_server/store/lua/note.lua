#!lua
-- Append an internal note: any member may, nobody's badge changes, nothing is sent.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out oo av off ow gone sno i au ar
-- ARGV[1] conv
-- ARGV[2] by
-- ARGV[3] body
-- ARGV[4] mentions
-- Returns {"ok"} | {"not_found"} | {"forbidden"} | {"idempotency_mismatch"}
--- @include "lib/command"
local conv, by, body, mentions = unpack(ARGV)
local cx, me, actor, cid = begin(by, CONTENT_MS)
if not cx then return me end
local c = load(cx, conv)
if not c then return {"not_found"} end
release_stale(cx, c)
local was, at = copy(c), tick(cx)
if c.assignee == actor then c.acted_ms = at end
local named = mentions ~= "" and cmsgpack.unpack(mentions) or nil
record(cx, "noted", c, was, actor, cid, {body = body, mentions = named})
return finish(cx, c)

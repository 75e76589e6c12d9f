#!lua
-- Append an internal note: any member may, nobody's badge changes, nothing is sent. Who is named
-- may see the inbox: every active admin stands in it.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out oo av off ow gone sno i au ar
-- ARGV[1] conv
-- ARGV[2] by
-- ARGV[3] body
-- ARGV[4] mentions
-- Returns {"ok"} | {"not_found"} | {"forbidden"} | {"target_not_member"} | {"idempotency_mismatch"}
--- @include "lib/command"
local conv, by, body, mentions = unpack(ARGV)
local cx, me, actor, cid = begin(by, CONTENT_MS)
if not cx then return me end
local c = load(cx, conv)
if not c then return {"not_found"} end
local named = mentions ~= "" and cmsgpack.unpack(mentions) or nil
for _, user in ipairs(named or {}) do
  if not member(cx, user) then return {"target_not_member"} end
end
release_stale(cx, c)
local was, at = before(cx, c), tick(cx)
if c.assignee == actor then c.acted_ms = at end
record(cx, "noted", c, was, actor, cid, {body = body, mentions = named})
return finish(cx, c)

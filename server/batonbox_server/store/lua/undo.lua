#!lua
-- Take back my own last ownership change within ten seconds, while its token still stands; never
-- back to somebody who left since, nor into Done over a message nobody answered.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out oo av off ow gone sno i au ar
-- ARGV[1] conv
-- ARGV[2] by
-- ARGV[3] own_tok
-- Returns {"ok"} | {"stale_token", row} | {"not_undoable", row} | {"not_found"} | {"forbidden"} | {"idempotency_mismatch"}
--- @include "lib/command"
local conv, by, own_tok = unpack(ARGV)
local cx, me, actor, cid = begin(by, ACTION_MS)
if not cx then return me end
local c = load(cx, conv)
if not c then return {"not_found"} end
release_stale(cx, c)
if own_tok ~= c.own_tok then return refuse(cx, {"stale_token", cur(c)}) end
-- Judged on the log's clock, like `at_ms`: in a burst it runs ahead of the engine's.
local packed = c.prev or redis.call("HGET", key("c", conv), "prev") or ""
local prev, at = packed ~= "" and cmsgpack.unpack(packed), tick(cx)
local back = prev and prev.tok == own_tok and prev.actor == actor and at - prev.at_ms <= 10000
if back and prev.status == "assigned" then
  local m = member(cx, prev.assignee)
  back = m ~= nil and m.since < tonumber(string.match(prev.tok, "^%d+"))
elseif back and prev.status == "done" then
  back = c.unanswered == 0
end
if not back then return refuse(cx, {"not_undoable", cur(c)}) end
local was, salt = before(cx, c), conv .. actor .. cid
if prev.status == "assigned" then
  to_assigned(cx, c, prev.assignee, salt, true)
elseif prev.status == "unassigned" then
  to_unassigned(cx, c, actor, salt)
else
  to_done(cx, c, salt)
end
if was.status == "done" then
  c.unanswered, c.waiting_since = prev.unanswered, prev.waiting_since
end
record(cx, "undone", c, was, actor, cid)
return finish(cx, c)

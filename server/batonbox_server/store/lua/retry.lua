#!lua
-- Queue a failed message again, behind what waits; only the conversation's owner may.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out why oo av off ow gone sno i au ar
-- ARGV[1] conv
-- ARGV[2] by
-- ARGV[3] n
-- Returns {"ok"} | {"not_owner", row} | {"not_failed"} | {"too_old", row} | {"recipient_opted_out", row} | {"not_found"} | {"forbidden"} | {"idempotency_mismatch"}
--- @include "lib/command"
--- @include "lib/thread"
local conv, by, n = unpack(ARGV)
local cx, me, actor, cid = begin(by, CONTENT_MS)
if not cx then return me end
local c = load(cx, conv)
local entry = c and line(conv, tonumber(n), c.trimmed)
local away = c and tonumber(n) >= 1 and tonumber(n) <= c.trimmed
if not entry and not away then return {"not_found"} end
release_stale(cx, c)
if c.status ~= "assigned" or c.assignee ~= actor then
  return refuse(cx, {"not_owner", cur(c)})
end
if away then return refuse(cx, {"too_old", cur(c)}) end
if entry.head[7] ~= "failed" then return {"not_failed"} end
if c.blocked > 0 then return refuse(cx, {"recipient_opted_out", cur(c)}) end
tick(cx)
delivery_event(cx, c, entry, "queued", actor, cid)
audit(cx, cx.by, "retry", actor, {conv = conv, target = c.assignee, detail = {n = tonumber(n)}})
table.insert(cx.out, {conv, n})
local reply = finish(cx, c)
set_state(conv, entry, "queued")
redis.call("HDEL", key("why"), conv .. ":" .. n)
return reply

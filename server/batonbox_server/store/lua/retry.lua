#!lua
-- Queue a failed message again, behind what waits; only the conversation's owner may.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un op done unm out try i
-- ARGV[1] conv
-- ARGV[2] actor
-- ARGV[3] cid
-- ARGV[4] digest
-- ARGV[5] n
-- Returns {"ok"} | {"not_owner", row} | {"not_failed"} | {"not_found"} | {"forbidden"} | {"idempotency_mismatch"}
--- @include "lib/command"
--- @include "lib/thread"
local conv, actor, cid, digest, n = unpack(ARGV)
local command = {actor = actor, cid = cid, digest = digest, keep_ms = CONTENT_MS}
local cx, me = begin(command)
if not cx then return me end
local c = load(cx, conv)
local entry = c and line(conv, tonumber(n), c.trimmed)
if not entry then return {"not_found"} end
release_stale(cx, c)
if c.status ~= "assigned" or c.assignee ~= actor then
  return refuse(cx, {"not_owner", cur(c)})
end
if entry.head[7] ~= "failed" then return {"not_failed"} end
tick(cx)
delivery_event(cx, c, entry, "queued", actor, cid)
table.insert(cx.out, {conv, n})
local reply = finish(cx, c, command)
set_state(conv, entry, "queued")
redis.call("HDEL", key("try"), conv .. ":" .. n)
return reply

#!lua
-- Mark unread for me: my mark goes, nobody else notices; without attention there is nothing to unread.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out mv oo av off ow gone sno i au ar
-- ARGV[1] conv
-- ARGV[2] by
-- Returns {"ok"} | {"not_found"} | {"forbidden"} | {"idempotency_mismatch"}
--- @include "lib/command"
--- @include "lib/marks"
local conv, by = unpack(ARGV)
local cx, me, actor, cid = begin(by, ACTION_MS)
if not cx then return me end
local c = load(cx, conv)
if not c then return {"not_found"} end
release_stale(cx, c)
local kind
if c.att ~= "" and c.status == "unassigned" then kind = "blue" end
if c.att ~= "" and c.status == "assigned" and c.assignee == actor then kind = "green" end
local reply = finish(cx, c, not kind)
local changed = 0
if kind == "blue" then changed = redis.call("SREM", key("su", actor), conv .. ":" .. c.att) end
if kind == "green" then changed = redis.call("SADD", key("gm", actor), conv) end
if changed == 1 then publish_mark(cx, actor, kind, conv, c.att, true) end
return reply

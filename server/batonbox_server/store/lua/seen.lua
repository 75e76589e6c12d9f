#!lua
-- Open a conversation: clears its badge for this user on all their devices and for nobody else.
-- Applies only while `att` is still the row's: a late duplicate must not undo "mark unread".
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c gm su unm mv
-- ARGV[1] conv
-- ARGV[2] actor
-- ARGV[3] att
-- Returns {"ok", changed} | {"not_found"} | {"forbidden"}
--- @include "lib/log"
--- @include "lib/member"
--- @include "lib/marks"
--- @include "lib/compact"
local conv, actor, att = unpack(ARGV)
local cx = open()
if not cx then return {"not_found"} end
if not member(cx, actor) then return {"forbidden"} end
local row = redis.call("HMGET", key("c", conv), "status", "assignee", "att")
local status, assignee, now = unpack(row)
if not status then return {"not_found"} end
if att == "" or now ~= att then return {"ok", 0} end
local changed, kind = 0, nil
if status == "unassigned" then
  kind, changed = "blue", redis.call("SADD", key("su", actor), conv .. ":" .. att)
  if changed == 1 then compact(actor) end
elseif status == "assigned" and assignee == actor then
  kind, changed = "green", redis.call("SREM", key("gm", actor), conv)
end
if changed == 1 then publish_mark(cx, actor, kind, conv, att, false) end
return {"ok", changed}

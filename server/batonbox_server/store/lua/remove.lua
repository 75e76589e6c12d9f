#!lua
-- Take a membership away and return up to 100 of its conversations; a job does the rest. `at` is the
-- position in the organisation's log at which this was wanted (empty: now): whoever has joined later
-- has come back, and stays.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out due oo av off ow gone sno i au ar gr
-- ARGV[1] user
-- ARGV[2] role
-- ARGV[3] at
-- Returns {"ok", seq, returned, left} | {"stale", at} | {"not_found"}
--- @include "lib/sweep"
local user, role, at = ARGV[1], ARGV[2], tonumber(ARGV[3])
local cx = open()
if not cx then return {"not_found"} end
plan(cx)
local m = member(cx, user)
if not m or (role ~= "" and not m.joined) then return {"ok", cx.seq, 0, 0} end
local joined_at = tonumber(redis.call("HGET", key("meta"), "mem:" .. user) or 0)
if at and at < joined_at then return {"stale", joined_at} end
tick(cx)
local seq = emit(cx, {type = "member_removed", user = user, role = role, actor = ""})
cx.members[user] = role ~= "" and {role = role, joined = false, since = seq}
cx.cleared[user] = true
local returned, left = sweep(cx, user)
commit(cx)
if role == "" then redis.call("DEL", key("gr", user)) end
schedule(cx, user, left)
return {"ok", cx.seq, returned, left}

#!lua
-- Take a membership away and return up to 100 of its conversations; a job does the rest.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out due oo av off ow gone sno i au ar gr
-- ARGV[1] user
-- ARGV[2] role
-- Returns {"ok", seq, returned, left} | {"not_found"}
--- @include "lib/sweep"
local user, role = ARGV[1], ARGV[2]
local cx = open()
if not cx then return {"not_found"} end
plan(cx)
local m = member(cx, user)
if not m or (role ~= "" and not m.joined) then return {"ok", cx.seq, 0, 0} end
tick(cx)
local seq = emit(cx, {type = "member_removed", user = user, role = role, actor = ""})
cx.members[user] = role ~= "" and {role = role, joined = false, since = seq}
cx.cleared[user] = true
local returned, left = sweep(cx, user)
commit(cx)
if role == "" then redis.call("DEL", key("gr", user)) end
schedule(cx, user, left)
return {"ok", cx.seq, returned, left}

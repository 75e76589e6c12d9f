#!lua
-- Add a membership, or change its role; whoever joins afresh sees the whole queue as blue. `at` is the
-- position in the organisation's log as of which this is wanted: what wanted somebody out before that
-- does not mean this membership.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out oo av off ow gone sno i au ar
-- ARGV[1] user
-- ARGV[2] role
-- ARGV[3] joined
-- ARGV[4] at
-- Returns {"ok", seq} | {"not_found"}
--- @include "lib/command"
local user, role, joined = ARGV[1], ARGV[2], ARGV[3] == "1"
local cx = open()
if not cx then return {"not_found"} end
plan(cx)
local was = member(cx, user)
-- Wanting an admin to stand beside the inbox never un-joins one who is in it.
joined = joined or (was ~= nil and was.joined)
if was and was.role == role and was.joined == joined then return {"ok", cx.seq} end
local fresh_join = not was or (joined and not was.joined)
cx.members[user] = {role = role, joined = joined, since = was and was.since or cx.seq + 1}
if fresh_join then cx.cleared[user] = true end
tick(cx)
emit(cx, {type = "member_joined", user = user, role = role, joined = joined, fresh = fresh_join,
  actor = ""})
commit(cx)
if fresh_join then redis.call("HSET", key("meta"), "mem:" .. user, ARGV[4]) end
return {"ok", cx.seq}

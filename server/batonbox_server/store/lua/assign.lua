#!lua
-- Take ownership of an unassigned or done conversation; of N concurrent callers at most one wins.
-- An admin may give it to a colleague instead, a member too where the inbox lets them, unless it is
-- done; nobody takes an assigned one this way.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out oo av off ow gone sno i au ar
-- ARGV[1] conv
-- ARGV[2] by
-- ARGV[3] to
-- Returns {"ok"} | {"conflict", row} | {"not_found"} | {"forbidden"} | {"target_not_member"} | {"idempotency_mismatch"}
--- @include "lib/command"
local conv, by, to = unpack(ARGV)
local cx, me, actor, cid = begin(by, ACTION_MS)
if not cx then return me end
local c = load(cx, conv)
if not c then return {"not_found"} end
local handed = to ~= "" and to ~= actor
local owner = handed and to or actor
local member_hands = handed and me.role ~= "admin"
if member_hands and not (me.joined and options().members_may_dispatch) then return {"forbidden"} end
local them = member(cx, owner)
if not them or (handed and not them.joined) then return {"target_not_member"} end
release_stale(cx, c)
if c.status == "assigned" then
  if c.assignee == owner then return finish(cx, c, true) end
  return refuse(cx, {"conflict", cur(c)})
end
if member_hands and c.status == "done" then return refuse(cx, {"forbidden"}) end
if not handed then join_admin(cx, actor, me) end
local was = before(cx, c)
local at = tick(cx)
to_assigned(cx, c, owner, conv .. actor .. cid, handed)
undoable(c, was, actor, at)
record(cx, "assigned", c, was, actor, cid)
return finish(cx, c, false, handed and warning_of(owner))

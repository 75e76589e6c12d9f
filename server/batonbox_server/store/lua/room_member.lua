#!lua
-- Put somebody into a channel or take them out; who does it to themselves joins or leaves. Nothing
-- that comes after this event reaches who was taken out.
--
-- KEYS[1] room prefix
-- derives meta log ev mem c m i mv rd at ar
-- ARGV[1] by
-- ARGV[2] user
-- ARGV[3] on
-- ARGV[4] admin
-- Returns {"ok"} | {"not_found"} | {"forbidden"} | {"direct"} | {"idempotency_mismatch"}
--- @include "lib/room"
local by, user, on, admin = ARGV[1], ARGV[2], ARGV[3] == "1", ARGV[4] == "1"
local cx, c, actor = enter(by, ACTION_MS)
if not cx then return c end
if not c then return {"not_found"} end
if c.kind == "direct" then return {"direct"} end
local was, myself = member(cx, user), user == actor
if not admin and not (myself and (was or c.kind == "public")) then return {"forbidden"} end
if on == (was ~= nil) then return leave(cx, c) end
tick(cx)
if on then
  admit(cx, c, user)
  record(cx, c, "member_joined", {user = user, role = "member", joined = true})
else
  cx.members[user] = false
  record(cx, c, "member_removed", {user = user})
end
return leave(cx, c)

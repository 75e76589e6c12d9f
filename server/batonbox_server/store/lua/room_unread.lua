#!lua
-- Mark the last post as unread, if it is somebody else's and was read.
--
-- KEYS[1] room prefix
-- derives meta log ev mem c i mv rd at m ar
-- ARGV[1] by
-- Returns {"ok"} | {"not_found"} | {"forbidden"} | {"idempotency_mismatch"}
--- @include "lib/room"
local cx, c, actor = enter(ARGV[1], ACTION_MS)
if not cx then return c end
if not c then return {"not_found"} end
if not member(cx, actor) then return {"forbidden"} end
local others = c.posts > 0 and c.last_by ~= actor and mark_of(actor) == c.posts
if others then set_mark(cx, actor, c.posts - 1) end
local reply = {"ok", ID, cx.seq, cx.tip, "", "", 0, others and 0 or 1}
keep_reply(cx.by, reply)
return reply

#!lua
-- The first `read` posts are seen, on all this person's devices; a mark is never lowered by it.
--
-- KEYS[1] room prefix
-- derives meta log ev mem c i mv rd at m ar
-- ARGV[1] actor
-- ARGV[2] read
-- Returns {"ok", changed} | {"not_found"} | {"forbidden"}
--- @include "lib/room"
local actor, read = ARGV[1], tonumber(ARGV[2])
local cx = open()
if not cx then return {"not_found"} end
if not member(cx, actor) then return {"forbidden"} end
local posts = tonumber(redis.call("HGET", key("c", ID), "posts"))
read = math.min(read, posts)
if read <= mark_of(actor) then return {"ok", 0} end
set_mark(cx, actor, read)
return {"ok", 1}

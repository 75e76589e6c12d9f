#!lua
-- The next batch of a removal: conversations whose owner no longer counts go back to the queue.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m gm su as un wq op done unm out due i au
-- ARGV[1] user
-- Returns {"ok", returned, left} | {"not_found"}
--- @include "lib/sweep"
local user = ARGV[1]
local cx = open()
if not cx then return {"not_found"} end
plan(cx)
local returned, left = sweep(cx, user)
commit(cx)
schedule(cx, user, left)
return {"ok", returned, left}

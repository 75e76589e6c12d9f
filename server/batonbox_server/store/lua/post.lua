#!lua
-- Append a post. Its author has read the room with it; for everybody else it is one more unread.
--
-- KEYS[1] room prefix
-- derives meta log ev mem c m i mv rd at ar
-- ARGV[1] by
-- ARGV[2] body
-- ARGV[3] preview
-- ARGV[4] mentions
-- Returns {"ok"} | {"not_found"} | {"forbidden"} | {"archived"} | {"target_not_member"} | {"idempotency_mismatch"}
--- @include "lib/room"
local by, body, preview = unpack(ARGV)
local cx, c, actor = enter(by, CONTENT_MS)
if not cx then return c end
if not c then return {"not_found"} end
if not member(cx, actor) then return {"forbidden"} end
if c.archived > 0 then return {"archived"} end
local named = cmsgpack.unpack(ARGV[4])
if outsider(cx, named) then return {"target_not_member"} end
c.last_ms, c.posts = tick(cx), c.posts + 1
c.last_by, c.preview, c.last_n = actor, preview, c.n + 1
record(cx, c, "posted", {body = body, mentions = #named > 0 and named or nil})
for _, user in ipairs(named) do
  if user ~= actor then redis.call("ZADD", key("at", user), c.posts, c.posts) end
end
redis.call("HSET", key("rd"), actor, c.posts)
redis.call("DEL", key("at", actor))
return leave(cx, c, c.n)

#!lua
-- Make a room with its first people; one that is there already answers as if it were new. Beside
-- `create_inbox` the only verb that writes a missing :meta; its epoch is random.
--
-- KEYS[1] room prefix
-- derives meta log ev mem c m i mv rd at ar
-- ARGV[1] by
-- ARGV[2] epoch
-- ARGV[3] keep
-- ARGV[4] kind
-- ARGV[5] name
-- ARGV[6] people
-- Returns {"ok"} | {"idempotency_mismatch"}
--- @include "lib/room"
local by, epoch, keep, kind, name, people = unpack(ARGV)
if not open() then
  redis.call("HSET", key("meta"), "epoch", epoch, "seq", 0, "tip", string.rep("0", 16),
    "last_ms", 0, "keep", keep, "schema", 2)
end
local cx, c = enter(by, CONTENT_MS)
if not cx then return c end
if c then return leave(cx, c) end
c = {id = ID, kind = kind, name = name, people = kind == "direct" and people or "", archived = 0,
  rev = 0, n = 0, posts = 0, last_ms = tick(cx), last_by = "", preview = "", trimmed = 0, last_n = 0}
for user in string.gmatch(people, "%S+") do admit(cx, c, user) end
record(cx, c, "room_created", {name = name})
return leave(cx, c)

#!lua
-- What a room's own slot said, put into the organisation's: who is in it, who is not, what it is
-- called. `record` "": it is no channel, or does not exist.
--
-- KEYS[1] organisation prefix
-- derives meta log ev ru rn rooms
-- ARGV[1] room
-- ARGV[2] inside
-- ARGV[3] outside
-- ARGV[4] record
-- ARGV[5] own
-- ARGV[6] names
-- ARGV[7] body
-- Returns {"ok"} | {"not_found"}
--- @include "lib/log"
local room, inside, outside, record, own, names, body = unpack(ARGV)
local cx = open()
if not cx then return {"not_found"} end
local unused, named = {}, cmsgpack.unpack(names)
local before = redis.call("HGET", key("rooms"), room)
if before then table.insert(named, cmsgpack.unpack(before).folded) end
for _, name in ipairs(named) do
  if name ~= own and redis.call("HGET", key("rn"), name) == room then table.insert(unused, name) end
end
tick(cx)
emit(cx, {type = "room_changed", room = room, actor = ""}, body)
for user in string.gmatch(inside, "%S+") do redis.call("SADD", key("ru", user), room) end
for user in string.gmatch(outside, "%S+") do redis.call("SREM", key("ru", user), room) end
for _, name in ipairs(unused) do redis.call("HDEL", key("rn"), name) end
if record ~= "" then redis.call("HSET", key("rooms"), room, record) end
commit_log(cx)
return {"ok"}

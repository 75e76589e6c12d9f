#!lua
-- What a room's own slot said, put into the organisation's: who is in it, who is not, what it is
-- called. `record` "": it is no channel; `there` "": no room at all. `body` "": nobody need be told.
-- `gone` are those inside a channel who are deactivated or deleted.
--
-- KEYS[1] organisation prefix
-- derives meta log ev ru ra rn rooms jobs users
-- ARGV[1] room
-- ARGV[2] job
-- ARGV[3] inside
-- ARGV[4] outside
-- ARGV[5] there
-- ARGV[6] record
-- ARGV[7] names
-- ARGV[8] body
-- Returns {"ok", gone} | {"not_found"}
--- @include "lib/log"
local room, job, inside, outside, there, record, names, body = unpack(ARGV)
local cx = open()
if not cx then return {"not_found"} end
local unused, gone, named = {}, {}, cmsgpack.unpack(names)
local mine = record ~= "" and cmsgpack.unpack(record) or {}
local before = redis.call("HGET", key("rooms"), room)
before = before and cmsgpack.unpack(before) or {}
table.insert(named, before.folded)
-- Somebody else may have looked at the room later.
local late = (before.rev or 0) > (mine.rev or 0)
local own = late and before.folded or mine.folded
for _, name in ipairs(named) do
  local whose = redis.call("HGET", key("rn"), name) or ""
  local of, by = string.match(whose, "^(%S+) ?(%S*)$")
  -- What another change under way has claimed is not this one's to give back.
  local free = by == job or redis.call("HEXISTS", key("jobs"), by or "") == 0
  if name ~= own and of == room and free then table.insert(unused, name) end
end
if record ~= "" and redis.call("EXISTS", key("users")) == 1 then
  for user in string.gmatch(inside, "%S+") do
    local found = redis.call("HGET", key("users"), user)
    if not found or not cmsgpack.unpack(found).active then table.insert(gone, user) end
  end
end
tick(cx)
if body ~= "" then emit(cx, {type = "room_changed", room = room, actor = ""}, body) end
for user in string.gmatch(inside, "%S+") do redis.call("SADD", key("ru", user), room) end
for user in string.gmatch(outside, "%S+") do redis.call("SREM", key("ru", user), room) end
for _, name in ipairs(unused) do redis.call("HDEL", key("rn"), name) end
if record ~= "" and not late then redis.call("HSET", key("rooms"), room, record) end
if there ~= "" then redis.call("ZADD", key("ra"), 0, room) else redis.call("ZREM", key("ra"), room) end
commit_log(cx)
return {"ok", gone}

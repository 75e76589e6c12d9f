#!lua
-- Before a room's own slot changes: these people are perhaps in it, this name perhaps its own. The
-- job sees to it that index and room agree again, whoever dies meanwhile.
--
-- KEYS[1] organisation prefix
-- derives meta log ev ru ra rn jobs due
-- ARGV[1] room
-- ARGV[2] users
-- ARGV[3] name
-- ARGV[4] most
-- ARGV[5] job
-- ARGV[6] packed
-- ARGV[7] lease_ms
-- Returns {"ok"} | {"conflict"} | {"too_many", user} | {"not_found"}
--- @include "lib/log"
local room, users, name, most, job, packed, lease_ms = unpack(ARGV)
local cx = open()
if not cx then return {"not_found"} end
if name ~= "" then
  local whose = redis.call("HGET", key("rn"), name)
  if whose and string.match(whose, "^%S+") ~= room then return {"conflict"} end
end
for user in string.gmatch(users, "%S+") do
  local mine = redis.call("SCARD", key("ru", user))
  if mine >= tonumber(most) and redis.call("SISMEMBER", key("ru", user), room) == 0 then
    return {"too_many", user}
  end
end
if name ~= "" then redis.call("HSET", key("rn"), name, room .. " " .. job) end
for user in string.gmatch(users, "%S+") do redis.call("SADD", key("ru", user), room) end
redis.call("ZADD", key("ra"), 0, room)
redis.call("HSET", key("jobs"), job, packed)
redis.call("ZADD", key("due"), cx.now + lease_ms, job)
return {"ok"}

#!lua
-- A log that was restored from a backup begins another epoch: it may lack what clients know of, so
-- that none may go on where it stood. Webhooks' places and what groups have handled are of this very
-- history and stay. What waits to be sent may have been sent since: whoever sends it asks the carrier
-- first, where one can.
--
-- KEYS[1] log prefix
-- derives meta log ev hk out try mem gr
-- ARGV[1] epoch
-- Returns {"ok", how many messages wait} | {"not_found"}
--- @include "lib/hook"
--- @include "lib/sends"
local epoch = ARGV[1]
local cx = open()
if not cx then return {"not_found"} end
local places, waiting, shared = redis.call("HGETALL", key("hk")), {}, {}
for _, user in ipairs(redis.call("HKEYS", key("mem"))) do
  shared[user] = redis.call("HGETALL", key("gr", user))
end
for _, conv in ipairs(redis.call("ZRANGE", key("out"), 0, -1)) do
  for _, n in ipairs(redis.call("LRANGE", key("out", conv), 0, -1)) do
    table.insert(waiting, conv .. ":" .. n)
  end
end
for i = 1, #places, 2 do
  local c = cmsgpack.unpack(places[i + 1])
  if c.epoch == cx.epoch then
    c.epoch, c.holder, c.till = epoch, "", 0
    keep_cursor(places[i], c)
  end
end
for user, groups in pairs(shared) do
  for i = 1, #groups, 2 do
    local g = cmsgpack.unpack(groups[i + 1])
    if g.epoch == cx.epoch then
      g.epoch, g.copies = epoch, {}
      redis.call("HSET", key("gr", user), groups[i], cmsgpack.pack(g))
    end
  end
end
for _, item in ipairs(waiting) do
  local t = attempts(item)
  t.unsettled, t.open = true, false
  keep_attempts(item, t)
end
redis.call("HSET", key("meta"), "epoch", epoch)
return {"ok", #waiting}

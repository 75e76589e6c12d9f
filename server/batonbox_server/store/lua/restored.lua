#!lua
-- A log that was restored from a backup begins another epoch: it may lack what clients know of, so
-- that none may go on where it stood. Webhooks' places are those of this very history and stay. What
-- waits to be sent may have been sent since: whoever sends it asks the carrier first, where one can.
--
-- KEYS[1] log prefix
-- derives meta log ev hk out try
-- ARGV[1] epoch
-- Returns {"ok", how many messages wait} | {"not_found"}
--- @include "lib/hook"
--- @include "lib/sends"
local epoch = ARGV[1]
local cx = open()
if not cx then return {"not_found"} end
local places, waiting = redis.call("HGETALL", key("hk")), {}
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
for _, item in ipairs(waiting) do
  local t = attempts(item)
  t.unsettled, t.open = true, false
  keep_attempts(item, t)
end
redis.call("HSET", key("meta"), "epoch", epoch)
return {"ok", #waiting}

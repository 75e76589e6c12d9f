#!lua
-- Hand files that are to be fetched to one caller; nobody else gets them before the lease ends.
--
-- KEYS[1] organisation prefix
-- derives media media_new media_held media_in media_due media_gone
-- ARGV[1] lease_ms
-- ARGV[2] n
-- Returns {"ok", items}
--- @include "lib/media"
local lease_ms, n, now = tonumber(ARGV[1]), tonumber(ARGV[2]), now_ms()
local items = {}
for _, id in ipairs(redis.call("ZRANGEBYSCORE", key("media_due"), "-inf", now, "LIMIT", 0, n)) do
  local file = media(id)
  if file and file.state == "pending" then
    redis.call("ZADD", key("media_due"), now + lease_ms, id)
    local attempt = redis.call("HINCRBY", key("media", id), "attempt", 1)
    table.insert(items, {id, file.carrier, file.url, file.name, attempt})
  else
    redis.call("ZREM", key("media_due"), id)
  end
end
return {"ok", items}

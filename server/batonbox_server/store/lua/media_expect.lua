#!lua
-- Remember a file that a carrier has for us, and that it has to be fetched; once per id.
--
-- KEYS[1] organisation prefix
-- derives media media_new media_held media_in media_due media_gone
-- ARGV[1] id
-- ARGV[2] carrier
-- ARGV[3] url
-- ARGV[4] name
-- ARGV[5] keep_ms
-- Returns {"ok", added}
--- @include "lib/media"
local id, carrier, url, name, keep_ms = unpack(ARGV)
if media(id) then return {"ok", 0} end
local now = now_ms()
redis.call("HSET", key("media", id), "owner", "", "state", "pending", "type", "", "size", 0,
  "name", name, "inbox", "", "cid", "", "takes", 0, "carrier", carrier, "url", url, "attempt", 0)
redis.call("ZADD", key("media_new"), now + tonumber(keep_ms), id)
redis.call("ZADD", key("media_due"), now, id)
return {"ok", 1}

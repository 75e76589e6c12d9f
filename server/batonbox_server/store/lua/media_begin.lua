#!lua
-- Announce an uploaded file before it is written, unless too many of this user's wait unsent.
--
-- KEYS[1] organisation prefix
-- derives media media_new media_held media_in media_due media_gone
-- ARGV[1] id
-- ARGV[2] owner
-- ARGV[3] type
-- ARGV[4] size
-- ARGV[5] name
-- ARGV[6] keep_ms
-- ARGV[7] most
-- Returns {"ok"} | {"full"}
--- @include "lib/media"
local id, owner, kind, size, name = unpack(ARGV)
local keep_ms, most = tonumber(ARGV[6]), tonumber(ARGV[7])
if media(id) then return {"ok"} end
local held = tonumber(redis.call("HGET", key("media_held"), owner) or "0")
if held + tonumber(size) > most then return {"full"} end
local file = {owner = owner, size = size}
redis.call("HSET", key("media", id), "owner", owner, "state", "writing", "type", kind,
  "size", size, "name", name, "inbox", "", "cid", "", "takes", 0)
redis.call("ZADD", key("media_new"), now_ms() + keep_ms, id)
hold(file, 1)
return {"ok"}

#!lua
-- The command was refused: another may take its files, unless a retry of it holds them by now.
--
-- KEYS[1] organisation prefix
-- derives media media_new media_held media_in media_due media_gone
-- ARGV[1] owner
-- ARGV[2] cid
-- ARGV[3] ids
-- ARGV[4] keep_ms
-- Returns {"ok"}
--- @include "lib/media"
local owner, cid, ids, keep_ms = unpack(ARGV)
for id in string.gmatch(ids, "%S+") do
  local file = media(id)
  if file and file.owner == owner and file.cid == cid and file.takes == "1" then
    redis.call("SREM", key("media_in", file.inbox), id)
    redis.call("HSET", key("media", id), "inbox", "", "cid", "", "takes", 0)
    redis.call("ZADD", key("media_new"), now_ms() + tonumber(keep_ms), id)
    hold(file, 1)
  end
end
return {"ok"}

#!lua
-- A file is written, or never will be: `state` is kept or failed. What has no record any more was
-- given up meanwhile, and its file is erased again. Of an upload that failed nothing is left.
--
-- KEYS[1] organisation prefix
-- derives media media_new media_held media_in media_due media_gone
-- ARGV[1] id
-- ARGV[2] state
-- ARGV[3] type
-- ARGV[4] size
-- ARGV[5] name
-- ARGV[6] reason
-- Returns {"ok"} | {"gone"}
--- @include "lib/media"
local id, state, kind, size, name, reason = unpack(ARGV)
local file = media(id)
if not file then
  redis.call("SADD", key("media_gone"), id)
  return {"gone"}
end
redis.call("ZREM", key("media_due"), id)
if file.state == "writing" and state == "failed" then
  hold(file, -1)
  discard(id)
elseif file.state == "pending" or file.state == "writing" then
  redis.call("HSET", key("media", id), "state", state, "type", kind, "size", size, "name", name,
    "reason", reason)
end
return {"ok"}

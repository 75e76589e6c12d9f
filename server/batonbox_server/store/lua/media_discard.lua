#!lua
-- Erase files whose messages of this inbox are erased; theirs alone.
--
-- KEYS[1] organisation prefix
-- derives media media_new media_held media_in media_due media_gone
-- ARGV[1] inbox
-- ARGV[2] ids
-- Returns {"ok"}
--- @include "lib/media"
local inbox = ARGV[1]
for id in string.gmatch(ARGV[2], "%S+") do
  if redis.call("SREM", key("media_in", inbox), id) == 1 then discard(id) end
end
return {"ok"}

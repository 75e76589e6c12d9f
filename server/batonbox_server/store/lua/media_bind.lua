#!lua
-- A customer's message that carries these files is in the inbox.
--
-- KEYS[1] organisation prefix
-- derives media media_new media_held media_in media_due media_gone
-- ARGV[1] inbox
-- ARGV[2] ids
-- Returns {"ok"}
--- @include "lib/media"
for id in string.gmatch(ARGV[2], "%S+") do
  local file = media(id)
  if file and file.inbox == "" then bind(id, ARGV[1]) end
end
return {"ok"}

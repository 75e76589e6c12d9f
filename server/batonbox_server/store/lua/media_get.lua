#!lua
-- The records of files, those that there are.
--
-- KEYS[1] organisation prefix
-- derives media media_new media_held media_in media_due media_gone
-- writes nothing
-- ARGV[1] ids
-- Returns {"ok", files}
--- @include "lib/media"
local files = {}
for id in string.gmatch(ARGV[1], "%S+") do
  local file = media(id)
  if file then
    table.insert(files, {id, file.state, file.type, tonumber(file.size), file.name, file.inbox,
      file.reason or ""})
  end
end
return {"ok", files}

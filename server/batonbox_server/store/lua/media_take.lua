#!lua
-- Bind uploaded files to one command of their owner, all or none; the same command may ask again.
--
-- KEYS[1] organisation prefix
-- derives media media_new media_held media_in media_due media_gone
-- ARGV[1] owner
-- ARGV[2] cid
-- ARGV[3] inbox
-- ARGV[4] ids
-- ARGV[5] most
-- Returns {"ok", files} | {"not_found", id} | {"used", id} | {"too_big"}
--- @include "lib/media"
local owner, cid, inbox, ids, most = unpack(ARGV)
local taken, files, sum = {}, {}, 0
for id in string.gmatch(ids, "%S+") do
  local file = media(id)
  if not file or file.owner ~= owner or file.state ~= "kept" then return {"not_found", id} end
  if file.inbox ~= "" and (file.cid ~= cid or file.inbox ~= inbox) then return {"used", id} end
  sum = sum + tonumber(file.size)
  file.id = id
  table.insert(taken, file)
end
if sum > tonumber(most) then return {"too_big"} end
for _, file in ipairs(taken) do
  if file.inbox == "" then
    hold(file, -1)
    bind(file.id, inbox)
    redis.call("HSET", key("media", file.id), "cid", cid)
  end
  redis.call("HINCRBY", key("media", file.id), "takes", 1)
  table.insert(files, {file.id, file.type, tonumber(file.size), file.name})
end
return {"ok", files}

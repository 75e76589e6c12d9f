#!lua
-- What a plan needs to see: the records of these ids, and of whoever has these numbers; or the
-- stored reply, if `by` is a command that was carried out before.
--
-- KEYS[1] contacts prefix
-- derives meta log ev i rec num
-- ARGV[1] by
-- ARGV[2] ids
-- ARGV[3] numbers
-- Returns {"ok", records, holders} | {"stored", reply} | {"not_found"}
--- @include "lib/log"
--- @include "lib/reply"
local ids, numbers = cmsgpack.unpack(ARGV[2]), cmsgpack.unpack(ARGV[3])
if not open() then return {"not_found"} end
local by = ARGV[1] ~= "" and cmsgpack.unpack(ARGV[1])
if by and by.cid ~= "" then
  by.keep_ms = ACTION_MS
  local stored = replayed(by)
  if stored then return {"stored", stored} end
end
local function records(names)
  return #names > 0 and redis.call("HMGET", key("rec"), unpack(names)) or {}
end
local holders = {}
for i, id in ipairs(#numbers > 0 and redis.call("HMGET", key("num"), unpack(numbers)) or {}) do
  holders[i] = id and redis.call("HGET", key("rec"), id)
end
return {"ok", records(ids), holders}

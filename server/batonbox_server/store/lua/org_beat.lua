#!lua
-- A node says that it is there, and how busy; "" that it goes. Those that stopped saying so vanish.
--
-- KEYS[1] organisation prefix
-- derives nodes
-- ARGV[1] node
-- ARGV[2] record
-- ARGV[3] lease_ms
-- Returns {"ok", records}
--- @include "lib/keys"
local node, record, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local t = redis.call("TIME")
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local known = redis.call("HGETALL", key("nodes"))
local records, gone = {}, {}
for i = 1, #known, 2 do
  local said = cmsgpack.unpack(known[i + 1])
  if known[i] == node or said[1] < now then
    table.insert(gone, known[i])
  else
    table.insert(records, said[2])
  end
end
if #gone > 0 then redis.call("HDEL", key("nodes"), unpack(gone)) end
if record ~= "" then
  redis.call("HSET", key("nodes"), node, cmsgpack.pack({now + lease_ms, record}))
  table.insert(records, record)
end
return {"ok", records}

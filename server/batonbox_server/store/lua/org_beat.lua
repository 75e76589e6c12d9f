#!lua
-- A node says that it is there, how busy, and who came to it and went; "" that it goes. Nodes that
-- stopped saying so vanish, and their people with them, a bounded number at a time.
--
-- KEYS[1] organisation prefix
-- derives beats pn pu pv jobs due ev
-- ARGV[1] node
-- ARGV[2] record
-- ARGV[3] lease_ms
-- ARGV[4] grace_ms
-- ARGV[5] came
-- ARGV[6] went
-- ARGV[7] met
-- ARGV[8] job_lease_ms
-- Returns {"ok", records, was, version, mine, changes, more}
--- @include "lib/presence"
local node, record, lease_ms, grace_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local came, went, met =
  cmsgpack.unpack(ARGV[5]), cmsgpack.unpack(ARGV[6]), cmsgpack.unpack(ARGV[7])
local t = redis.call("TIME")
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local px, room, more = people(now), 200, 0
local beats, began = {}, now -- since when anybody has stood who stands now
local flat = redis.call("HGETALL", key("beats"))
for i = 1, #flat, 2 do
  local ends, said, since, spoke = unpack(cmsgpack.unpack(flat[i + 1]))
  beats[flat[i]] = {ends = ends, record = said, began = since, spoke = spoke}
  if ends >= now and said ~= "" then began = math.min(began, since) end
end
for _, user in ipairs(came) do comes(px, node, user) end
for _, user in ipairs(went) do goes(px, node, user) end
for _, user in ipairs(met) do
  if not person(px, user).known then counted(px, user, 0) end
end
-- Whoever's own lease has ended did not stand, and is no witness of what happened meanwhile.
local own = beats[node]
local since = own and own.ends >= now and own.began or now
beats[node] = nil
local records, gone = {}, {}
for name, b in pairs(beats) do
  if b.ends >= now then
    if b.record ~= "" then table.insert(records, b.record) end
  elseif began <= b.spoke or now - began >= grace_ms then
    -- Somebody was there when it still spoke, or has waited for its people long enough.
    local theirs = room > 0 and redis.call("SRANDMEMBER", key("pn", name), room) or {}
    for _, user in ipairs(theirs) do goes(px, name, user) end
    room = room - #theirs
    if #theirs < redis.call("SCARD", key("pn", name)) then more = 1 else table.insert(gone, name) end
  end
end
if record ~= "" then table.insert(records, record) end
local changes = commit_people(px, tonumber(ARGV[8]))
local mine = redis.call("SCARD", key("pn", node))
if record == "" and mine == 0 then table.insert(gone, node) end
redis.call("HSET", key("beats"), node, cmsgpack.pack({now + lease_ms, record, since, now}))
if #gone > 0 then redis.call("HDEL", key("beats"), unpack(gone)) end
return {"ok", records, string.format("%.0f", px.was), string.format("%.0f", px.version), mine,
  changes, more}

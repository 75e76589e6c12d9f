#!lua
-- Contacts in the order of an index, from a place in it: members are "<words>\0<id>".
--
-- KEYS[1] contacts prefix
-- derives meta log ev rec by find
-- writes nothing
-- ARGV[1] index
-- ARGV[2] from
-- ARGV[3] to
-- ARGV[4] n
-- Returns {"ok", seq, total, members, records} | {"not_found"}
--- @include "lib/log"
local index, from, to, n = unpack(ARGV)
local cx = open()
if not cx then return {"not_found"} end
local members = redis.call("ZRANGEBYLEX", index == "by" and key("by") or key("find"), from, to,
  "LIMIT", 0, n)
local ids = {}
for i, member in ipairs(members) do ids[i] = string.match(member, "%z([^%z]*)$") end
local found = #ids > 0 and redis.call("HMGET", key("rec"), unpack(ids)) or {}
return {"ok", cx.seq, redis.call("HLEN", key("rec")), members, found}

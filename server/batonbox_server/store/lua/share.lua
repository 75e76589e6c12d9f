#!lua
-- A copy of a bot says that it lives and what it has handled of its share of the inbox, and is told
-- what its share is now. Sent again it changes nothing more.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem gr
-- ARGV[1] user
-- ARGV[2] name
-- ARGV[3] copy
-- ARGV[4] lease_ms
-- ARGV[5] leaving
-- ARGV[6] said
-- Returns {"ok", gen, epoch, seq, tip, past, mine, asked, lost, copies, over} | {"too_many_copies"} | {"too_many_groups"} | {"not_found"} | {"forbidden"}
--- @include "lib/group"
--- @include "lib/member"
local user, name, copy, lease_ms, leaving = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == "1"
local said, GROUPS_MOST = cmsgpack.unpack(ARGV[6]), 16
local cx = open()
if not cx then return {"not_found"} end
if not member(cx, user) then return {"forbidden"} end
local g, known = group_of(cx, user, name)
local stale = {}
if not known and redis.call("HLEN", key("gr", user)) >= GROUPS_MOST then
  local all = redis.call("HGETALL", key("gr", user))
  for n = 1, #all, 2 do
    if cx.now - cmsgpack.unpack(all[n + 1]).at > FORGOTTEN_MS then table.insert(stale, all[n]) end
  end
  if #all / 2 - #stale >= GROUPS_MOST then return {"too_many_groups"} end
end
compare(cx, g)
believe(cx, g, copy, said)
if not attend(cx, g, copy, lease_ms, leaving) then return {"too_many_copies"} end
deal(g)
g.at = cx.now
local low, past, mine, asked, over = cx.seq, {}, {}, {}, {}
for i = 1, PARTITIONS do low = math.min(low, g.handled[i]) end
for i = 1, PARTITIONS do
  past[i] = g.handled[i] - low
  if g.holder[i] == copy then
    table.insert(mine, i - 1)
    table.insert(mine, g.since[i])
    if g.asked[i] == 1 then table.insert(asked, i - 1) end
  end
end
for n = 1, #g.over, 2 do
  if g.holder[g.over[n] + 1] == copy then
    table.insert(over, g.over[n])
    table.insert(over, g.over[n + 1])
  end
end
local tip = tip_after(cx, low)
if known or not leaving then
  if #stale > 0 then redis.call("HDEL", key("gr", user), unpack(stale)) end
  redis.call("HSET", key("gr", user), name, cmsgpack.pack(g))
  redis.call("PEXPIRE", key("gr", user), FORGOTTEN_MS)
end
local lost = said.gen > 0 and said.gen < g.lost_gen and g.lost or ""
return {"ok", g.gen, g.epoch, low, tip, cmsgpack.pack(past), mine, asked, lost, #g.copies,
  over}

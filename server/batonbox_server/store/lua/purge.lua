#!lua
-- Erase a conversation's (or room's) lines up to number `upto` for everybody, of those that have left
-- the engine, unless it is held: nobody's act. A done one of which nothing is left is erased wholly,
-- but for the customer's wish to get no messages. `again`: one step erases no more.
--
-- KEYS[1] log prefix
-- derives meta log ev c m why ar hold out cx done e gm
-- ARGV[1] conv
-- ARGV[2] upto
-- Returns {"ok", n, whole, again} | {"held", n} | {"gone"} | {"not_found"}
--- @include "lib/leaving"
local MOST = 1000
local TALK = {received = 1, replied = 1, composed = 1, answered = 1, posted = 1}
local conv, upto = ARGV[1], tonumber(ARGV[2])
local cx = open()
if not cx then return {"not_found"} end
local c = read_row(conv)
if not c then return {"gone"} end
local purged = purged_of(conv)
local till = math.min(upto, c.trimmed, purged + MOST)
if redis.call("HEXISTS", key("hold"), conv) == 1 then return {"held", purged} end
local whole = till == c.n and may_leave(c)
if till <= purged and not whole then return {"ok", purged, 0, 0} end
-- What the row shows of its newest message goes with that message.
local shows = till < c.trimmed
for _, raw in ipairs(shows and {} or redis.call("LRANGE", key("m", conv), 0, -1)) do
  shows = shows or TALK[cmsgpack.unpack(raw)[4]] ~= nil
end
c.unseen = c.status == "assigned" and redis.call("SISMEMBER", key("gm", c.assignee), conv) == 1
local was = {status = c.status, assignee = c.assignee, att = c.att}
local fields = {"purged", till}
if not shows and c.preview ~= "" then
  c.preview, c.rev = "", cx.seq + 1
  fields = {"purged", till, "preview", "", "rev", c.rev}
end
emit(cx, {type = "purged", conv = conv, actor = "", cid = "", n = till, whole = whole,
  unseen = c.unseen, row = public(c), before = c.status and was or nil})
if whole then
  redis.call("DEL", key("c", conv), key("m", conv))
  redis.call("ZREM", key("done"), conv)
  redis.call("ZREM", key("ar"), conv)
  redis.call("HDEL", key("cx"), c.our .. "|" .. c.customer)
else
  redis.call("HSET", key("c", conv), unpack(fields))
  for n = purged + 1, c.status and 0 or till do redis.call("DEL", key("e", n)) end
end
commit_log(cx)
return {"ok", till, whole and 1 or 0, till < math.min(upto, c.trimmed) and 1 or 0}

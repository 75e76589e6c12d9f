#!lua
-- Conversations as they stand at one instant, each with all that has to agree with its row: indexes,
-- board, green set, pair, outbox, the first lines of its thread. `also` is one more index (a set or a
-- sorted set), in which each is looked up under its name in `members`.
--
-- KEYS[1] log prefix
-- derives meta log ev c m op done un as wq ow sno ar unm gm cx out
-- writes nothing
-- ARGV[1] convs
-- ARGV[2] also
-- ARGV[3] members
-- ARGV[4] n
-- Returns {"ok", seq, found} | {"not_found"}
--- @include "lib/log"
local also, members, n = ARGV[2], cmsgpack.unpack(ARGV[3]), tonumber(ARGV[4])
local cx = open()
if not cx then return {"not_found"} end
local lists = {key("op"), key("done"), key("un"), key("wq"), key("ow"), key("sno"), key("ar"), key("out")}
local a_set = also == "unm" or string.match(also, "^gm:") ~= nil
local found = {}
for i, conv in ipairs(cmsgpack.unpack(ARGV[1])) do
  local flat = redis.call("HGETALL", key("c", conv))
  local c, scores = {}, {}
  for j = 1, #flat, 2 do c[flat[j]] = flat[j + 1] end
  for j, list in ipairs(lists) do scores[j] = redis.call("ZSCORE", list, conv) end
  local whose = c.assignee or ""
  scores[#lists + 1] = redis.call("ZSCORE", key("as", whose), conv)
  scores[#lists + 2] = redis.call("ZSCORE", key("ow", whose), conv)
  local pair = c.our and redis.call("HGET", key("cx"), c.our .. "|" .. (c.customer or ""))
  local there = also ~= "" and redis.call(a_set and "SISMEMBER" or "ZSCORE", key(also), members[i])
  found[i] = {flat, scores, redis.call("SISMEMBER", key("unm"), conv .. ":" .. (c.att or "")),
    redis.call("SISMEMBER", key("gm", whose), conv), pair or "", redis.call("LLEN", key("m", conv)),
    redis.call("LRANGE", key("m", conv), 0, n - 1), redis.call("LRANGE", key("out", conv), 0, -1),
    there and there ~= 0 and 1 or 0}
end
return {"ok", cx.seq, found}

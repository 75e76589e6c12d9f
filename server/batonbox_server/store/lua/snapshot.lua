#!lua
-- One instant of the inbox for everybody: counts and the newest open rows.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c un op done
-- writes nothing
-- ARGV[1] n
-- Returns {"ok", epoch, seq, tip, unassigned, open, done, rows} | {"not_found"}
--- @include "lib/row"
local n = tonumber(ARGV[1])
local cx = open()
if not cx then return {"not_found"} end
local rows = {}
for _, conv in ipairs(redis.call("ZRANGE", key("op"), 0, n - 1, "REV")) do
  table.insert(rows, cur(read_row(conv)))
end
return {"ok", cx.epoch, cx.seq, cx.tip, redis.call("ZCARD", key("un")),
  redis.call("ZCARD", key("op")), redis.call("ZCARD", key("done")) + (redis.call("HGET", key("meta"), "away") or 0), rows}

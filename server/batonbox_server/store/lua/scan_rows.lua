#!lua
-- Rows for the search index, oldest change first, each with the lines that stand in the engine (the
-- oldest 64 of them): a row that changes while the scan goes on moves ahead of it.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c m op done
-- writes nothing
-- ARGV[1] after_ms
-- ARGV[2] n
-- Returns {"ok", epoch, seq, tip, next, total, rows, lines} | {"not_found"}
--- @include "lib/row"
local after_ms, n = ARGV[1], tonumber(ARGV[2])
local LINES = 64
local cx = open()
if not cx then return {"not_found"} end
local from = after_ms == "" and "-inf" or "(" .. after_ms
local function ahead(index)
  return redis.call("ZRANGEBYSCORE", index, from, "+inf", "WITHSCORES", "LIMIT", 0, n)
end
local a, b = ahead(key("op")), ahead(key("done"))
local rows, lines, i, j, last = {}, {}, 1, 1, ""
while #rows < n and (a[i] or b[j]) do
  local conv
  if a[i] and (not b[j] or tonumber(a[i + 1]) < tonumber(b[j + 1])) then
    conv, last, i = a[i], a[i + 1], i + 2
  else
    conv, last, j = b[j], b[j + 1], j + 2
  end
  table.insert(rows, cur(read_row(conv)))
  table.insert(lines, redis.call("LRANGE", key("m", conv), 0, LINES - 1))
end
local away = tonumber(redis.call("HGET", key("meta"), "away") or 0)
local total = redis.call("ZCARD", key("op")) + redis.call("ZCARD", key("done")) + away
return {"ok", cx.epoch, cx.seq, cx.tip, #rows == n and last or "", total, rows, lines}

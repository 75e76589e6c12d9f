#!lua
-- Every row, oldest change first, merging Open and Done at one cursor: a row that changes while the
-- walk goes on moves ahead of it, so it may repeat and is never missed.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c op done
-- writes nothing
-- ARGV[1] actor
-- ARGV[2] after_ms
-- ARGV[3] n
-- Returns {"ok", seq, tip, next, rows, away} | {"not_found"} | {"forbidden"}
--- @include "lib/row"
--- @include "lib/member"
local actor, after_ms, n = ARGV[1], ARGV[2], tonumber(ARGV[3])
local cx = open()
if not cx then return {"not_found"} end
if not member(cx, actor) then return {"forbidden"} end
local from = after_ms == "" and "-inf" or "(" .. after_ms
local function ahead(index)
  return redis.call("ZRANGEBYSCORE", index, from, "+inf", "WITHSCORES", "LIMIT", 0, n)
end
local a, b = ahead(key("op")), ahead(key("done"))
local rows, i, j, last = {}, 1, 1, ""
while #rows < n and (a[i] or b[j]) do
  local conv
  if a[i] and (not b[j] or tonumber(a[i + 1]) < tonumber(b[j + 1])) then
    conv, last, i = a[i], a[i + 1], i + 2
  else
    conv, last, j = b[j], b[j + 1], j + 2
  end
  table.insert(rows, cur(read_row(conv)))
end
return {"ok", cx.seq, cx.tip, #rows == n and last or "", rows,
  tonumber(redis.call("HGET", key("meta"), "away") or 0)}

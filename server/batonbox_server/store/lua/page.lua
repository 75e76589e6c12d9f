#!lua
-- Rows of one view, newest first, below `after_ms` ("" from the top); `next` is the last scanned.
-- `away`: how many done ones are in the archive.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c un op done as
-- writes nothing
-- ARGV[1] actor
-- ARGV[2] view
-- ARGV[3] after_ms
-- ARGV[4] n
-- Returns {"ok", seq, tip, next, rows, away} | {"not_found"} | {"forbidden"}
--- @include "lib/row"
--- @include "lib/member"
local actor, view, after_ms, n = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local SCAN = 1000
local cx = open()
if not cx then return {"not_found"} end
if not member(cx, actor) then return {"forbidden"} end
local from = after_ms == "" and "+inf" or "(" .. after_ms
local index = {unassigned = key("un"), mine = key("as", actor), done = key("done")}
local scan = view == "others" and SCAN or n
local function below(of)
  return redis.call("ZREVRANGEBYSCORE", of, from, "-inf", "WITHSCORES", "LIMIT", 0, scan)
end
local found = below(index[view] or key("op"))
if view == "all" then
  local a, b, i, j = found, below(key("done")), 1, 1
  found = {}
  while #found < 2 * scan and (a[i] or b[j]) do
    local take = a[i] and (not b[j] or tonumber(a[i + 1]) > tonumber(b[j + 1]))
    table.insert(found, take and a[i] or b[j])
    table.insert(found, take and a[i + 1] or b[j + 1])
    if take then i = i + 2 else j = j + 2 end
  end
end
local rows, last = {}, nil
for i = 1, #found, 2 do
  local mine = true
  if view == "others" then
    local who = redis.call("HGET", key("c", found[i]), "assignee")
    mine = who ~= "" and who ~= actor
  end
  if mine then table.insert(rows, cur(read_row(found[i]))) end
  last = found[i + 1]
  if #rows == n then break end
end
local full = #rows == n or #found == 2 * scan
return {"ok", cx.seq, cx.tip, full and last or "", rows,
  tonumber(redis.call("HGET", key("meta"), "away") or 0)}

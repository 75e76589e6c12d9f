#!lua
-- A conversation's row and its messages below number `before` (0: the newest), ascending; and why
-- those of them failed that did. Those from `first` to `away` are in the archive; none if it is less.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m why
-- writes nothing
-- ARGV[1] conv
-- ARGV[2] actor
-- ARGV[3] before
-- ARGV[4] n
-- Returns {"ok", seq, row, messages, next, reasons, first, away} | {"not_found"} | {"forbidden"}
--- @include "lib/row"
--- @include "lib/member"
local conv, actor, before, n = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local cx = open()
if not cx then return {"not_found"} end
if not member(cx, actor) then return {"forbidden"} end
local c = read_row(conv)
if not c then return {"not_found"} end
local last = before == 0 and c.n or math.min(c.n, before - 1)
local purged = purged_of(conv)
local first = math.max(purged + 1, last - n + 1)
local here = math.max(first, c.trimmed + 1)
local messages, reasons = {}, {}
if last >= here then
  messages = redis.call("LRANGE", key("m", conv), here - 1 - c.trimmed, last - 1 - c.trimmed)
  local items = {}
  for i = here, last do table.insert(items, conv .. ":" .. i) end
  reasons = redis.call("HMGET", key("why"), unpack(items))
end
return {"ok", cx.seq, cur(c), messages, first > purged + 1 and last >= first and first or 0,
  reasons, first, math.min(last, c.trimmed)}

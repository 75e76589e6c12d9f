#!lua
-- The oldest lines of a conversation that may leave the engine: not the newest `keep`, none behind
-- one whose delivery is not over, none as new as `before_ms` ("": of any age).
--
-- KEYS[1] log prefix
-- derives meta log ev c m why ar hold out
-- writes nothing
-- ARGV[1] conv
-- ARGV[2] keep
-- ARGV[3] n
-- ARGV[4] before_ms
-- ARGV[5] final_ms
-- Returns {"ok", first, lines, reasons, digest, left, now} | {"not_found"}
--- @include "lib/leaving"
local conv, keep, n = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local before = ARGV[4] ~= "" and tonumber(ARGV[4]) or math.huge
local cx = open()
local c = cx and read_row(conv)
if not c then return {"not_found"} end
local lines, reasons = oldest(c, math.min(n, c.n - c.trimmed - keep))
local over = 0
for i, raw in ipairs(lines) do
  local head = cmsgpack.unpack(raw)
  local at, state = head[3], head[7]
  local waits = state == "queued" or (state == "sent" and cx.now - at < tonumber(ARGV[5]))
  if waits or at >= before then break end
  over = i
end
local gone, why = {}, {}
for i = 1, over do gone[i], why[i] = lines[i], reasons[i] end
return {"ok", c.trimmed + 1, gone, why, digest_of(gone, why), c.n - c.trimmed - over, cx.now}

#!lua
-- Let up to `n` pass of a rate that all nodes share: as many as fit now, or none.
--
-- KEYS[1] organisation prefix
-- derives try
-- ARGV[1] name
-- ARGV[2] every_ms
-- ARGV[3] burst
-- ARGV[4] n
-- Returns {"ok", passed} | {"wait", ms}
--- @include "lib/gcra"
local name, every, burst, n = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
local at = free_at(name, now)
local room = now + every * burst - at
local passed = math.min(n, math.floor(room / every))
if passed < 1 then return {"wait", math.ceil(every - room)} end
set_free_at(name, at + every * passed, now)
return {"ok", passed}

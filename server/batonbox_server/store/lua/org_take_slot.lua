#!lua
-- When the next message of a carrier account may leave, over all nodes: one every so often, without
-- bursts (generic cell rate algorithm). `free` is when the next place is; nobody takes one further
-- ahead than `most_ms`. Who would is told to come later, and has a place in a line of such, `line`,
-- behind which newcomers queue: `again`, they came later and look at `free` alone. Places that were
-- given out in another pace are no reason to wait in this one.
--
-- KEYS[1] organisation prefix
-- derives pace
-- ARGV[1] account
-- ARGV[2] every_us
-- ARGV[3] most_ms
-- ARGV[4] again
-- Returns {"ok", wait_ms} | {"later", wait_ms}
--- @include "lib/keys"
local every, most, again = tonumber(ARGV[2]), tonumber(ARGV[3]) * 1000, ARGV[4] == "1"
local t = redis.call("TIME")
local now = t[1] * 1000000 + t[2]
local pace = key("pace", ARGV[1])
local held = redis.call("HMGET", pace, "free", "line", "every")
local free = math.max(tonumber(held[1] or 0), now)
local line = math.max(tonumber(held[2] or 0), free)
if tonumber(held[3] or every) ~= every then
  free = math.min(free, now + every)
  line = free
end
local wait = (again and free or line) - now
local word = wait <= most and "ok" or "later"
if word == "ok" then
  wait, free = free - now, free + every
  line = math.max(line, free)
elseif not again then
  line = line + every
end
redis.call("HSET", pace, "free", string.format("%.0f", free), "line", string.format("%.0f", line),
  "every", ARGV[2])
redis.call("PEXPIRE", pace, math.ceil((line - now) / 1000) + 1000)
if word == "ok" then return {"ok", math.ceil(wait / 1000)} end
return {"later", math.ceil(wait / 1000)}

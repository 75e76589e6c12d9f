#!lua
-- Count one attempt to sign in against the user (empty: a link) and the address, or neither.
--
-- KEYS[1] organisation prefix
-- derives try known
-- ARGV[1] user
-- ARGV[2] address
-- ARGV[3] user_every_ms
-- ARGV[4] user_burst
-- ARGV[5] address_every_ms
-- ARGV[6] address_burst
-- Returns {"ok"} | {"wait", ms}
--- @include "lib/attempts"
local user, address = ARGV[1], ARGV[2]
local now, takes, wait = now_ms(), {}, 0
local function plan(name, every, burst)
  local at = free_at(name, now) + every
  wait = math.max(wait, at - now - every * burst)
  table.insert(takes, {name, at})
end
local who = tried(user, address)
if who then plan(who, tonumber(ARGV[3]), tonumber(ARGV[4])) end
plan("a:" .. address, tonumber(ARGV[5]), tonumber(ARGV[6]))
if wait > 0 then return {"wait", math.ceil(wait)} end
for _, take in ipairs(takes) do set_free_at(take[1], take[2], now) end
return {"ok"}

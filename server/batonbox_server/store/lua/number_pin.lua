#!lua
-- Which inbox a carrier's message goes to: the first that is named, until that one has refused it.
-- Every choice has a turn of its own; who refuses names the turn, so that a late refusal is void.
--
-- KEYS[1] number prefix
-- derives pin
-- ARGV[1] provider_id
-- ARGV[2] inbox
-- ARGV[3] refused
-- ARGV[4] keep_ms
-- Returns {"ok", inbox, turn}
--- @include "lib/keys"
local provider_id, inbox, refused, keep_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local found = redis.call("GET", key("pin", provider_id)) or "0."
-- Pins of before there were turns name the inbox alone.
local turn, at = string.match(found, "^(%d+)%.(.*)$")
if not turn then turn, at = "1", found end
if at ~= "" and tonumber(turn) ~= refused then return {"ok", at, turn} end
turn = tostring(tonumber(turn) + 1)
redis.call("SET", key("pin", provider_id), turn .. "." .. inbox, "PX", keep_ms)
return {"ok", inbox, turn}

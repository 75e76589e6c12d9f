#!lua
-- Which message a carrier's id names; "-" before it: that sending has failed (sent.lua).
--
-- KEYS[1] inbox prefix
-- derives pm
-- writes nothing
-- ARGV[1] carrier_id
-- Returns {"ok", item} | {"not_found"}
--- @include "lib/keys"
local item = redis.call("GET", key("pm", ARGV[1]))
return item and {"ok", (string.gsub(item, "^-", ""))} or {"not_found"}

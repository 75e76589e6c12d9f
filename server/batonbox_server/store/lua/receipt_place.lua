#!lua
-- Which message a carrier's id names.
--
-- KEYS[1] inbox prefix
-- derives pm
-- ARGV[1] carrier_id
-- Returns {"ok", item} | {"not_found"}
--- @include "lib/keys"
local item = redis.call("GET", key("pm", ARGV[1]))
return item and {"ok", item} or {"not_found"}

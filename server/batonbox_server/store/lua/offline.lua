#!lua
-- Since when somebody has no connection (0: they have one). `version` counts their comings and
-- goings: whoever tells an older one is too late.
--
-- KEYS[1] inbox prefix
-- derives meta off ow gone log ev mem av sno
-- ARGV[1] user
-- ARGV[2] version
-- ARGV[3] since_ms
-- Returns {"ok"} | {"stale", version} | {"not_found"}
--- @include "lib/log"
--- @include "lib/owned"
local user, version, since_ms = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if not open() then return {"not_found"} end
local last = tonumber(string.match(redis.call("HGET", key("off"), user) or "0:", "^%d+"))
if version < last then return {"stale", last} end
redis.call("HSET", key("off"), user, version .. ":" .. since_ms)
watch_gone(user)
return {"ok"}

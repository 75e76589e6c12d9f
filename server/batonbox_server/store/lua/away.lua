#!lua
-- What somebody set of their availability ("" is there, "away", "release"). `at` is the position in
-- the organisation's log at which they did: whoever read the directory earlier is too late.
--
-- KEYS[1] inbox prefix
-- derives meta av log ev
-- ARGV[1] user
-- ARGV[2] mode
-- ARGV[3] at
-- Returns {"ok"} | {"stale", at} | {"not_found"}
--- @include "lib/log"
local user, mode, at = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not open() then return {"not_found"} end
local last = tonumber(string.match(redis.call("HGET", key("av"), user) or "0:", "^%d+"))
if at < last then return {"stale", last} end
redis.call("HSET", key("av"), user, at .. ":" .. mode)
return {"ok"}

#!lua
-- Give the lease of an outbound message back: due again after a while, unless it is settled.
--
-- KEYS[1] inbox prefix
-- derives meta log ev out
-- ARGV[1] conv
-- ARGV[2] n
-- ARGV[3] after_ms
-- Returns {"ok"} | {"not_found"}
--- @include "lib/log"
local conv, n, after_ms = unpack(ARGV)
local cx = open()
if not cx then return {"not_found"} end
redis.call("ZADD", key("out"), "XX", cx.now + tonumber(after_ms), conv .. ":" .. n)
return {"ok"}

#!lua
-- Give the lease of an outbound message back: due again after a while, unless it is settled or
-- this attempt is no longer the latest.
--
-- KEYS[1] inbox prefix
-- derives meta log ev out try
-- ARGV[1] conv
-- ARGV[2] n
-- ARGV[3] attempt
-- ARGV[4] after_ms
-- Returns {"ok"} | {"not_found"}
--- @include "lib/log"
--- @include "lib/outbox"
local conv, n, attempt, after_ms = unpack(ARGV)
local cx = open()
if not cx then return {"not_found"} end
if first_in_line(conv) == n and redis.call("HGET", key("try"), conv .. ":" .. n) == attempt then
  redis.call("ZADD", key("out"), "XX", cx.now + tonumber(after_ms), conv)
end
return {"ok"}

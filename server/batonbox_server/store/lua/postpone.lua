#!lua
-- Give the lease of an outbound message back: due again after a while, unless it is settled or
-- this lease is no longer the latest.
--
-- KEYS[1] inbox prefix
-- derives meta log ev out try
-- ARGV[1] conv
-- ARGV[2] n
-- ARGV[3] turn
-- ARGV[4] after_ms
-- ARGV[5] how
-- Returns {"ok"} | {"not_found"}
--- @include "lib/log"
--- @include "lib/outbox"
--- @include "lib/sends"
-- `how`: "" it was answered, "unsettled" it was not, "free" nothing was sent and it is no attempt.
local conv, n, turn, after_ms, how = unpack(ARGV)
local cx = open()
if not cx then return {"not_found"} end
local item = conv .. ":" .. n
local t = attempts(item)
if first_in_line(conv) ~= n or t.turn ~= tonumber(turn) then return {"ok"} end
t.unsettled, t.open = t.unsettled or how == "unsettled", false
if how == "free" then t.free = t.free + 1 end
keep_attempts(item, t)
redis.call("ZADD", key("out"), "XX", cx.now + tonumber(after_ms), conv)
return {"ok"}

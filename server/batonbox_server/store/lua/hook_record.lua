#!lua
-- Write down what became of a delivery; the oldest beyond `most` give way. `told` 1: it arrived,
-- 0: it did not, empty: it says nothing of the receiver.
--
-- KEYS[1] webhook prefix
-- derives d body at st
-- ARGV[1] id
-- ARGV[2] record
-- ARGV[3] body
-- ARGV[4] at_ms
-- ARGV[5] now_ms
-- ARGV[6] told
-- ARGV[7] most
-- Returns {"ok"}
--- @include "lib/keys"
local id, record, body, at_ms, now_ms, told = unpack(ARGV)
local KEPT_S = 90 * 86400
local new = redis.call("ZSCORE", key("at"), id) and 0 or 1
local beyond = redis.call("ZCARD", key("at")) + new - tonumber(ARGV[7])
local old = beyond > 0 and redis.call("ZRANGE", key("at"), 0, beyond - 1) or {}
redis.call("HSET", key("d"), id, record)
redis.call("HSET", key("body"), id, body)
redis.call("ZADD", key("at"), at_ms, id)
for _, gone in ipairs(old) do
  redis.call("HDEL", key("d"), gone)
  redis.call("HDEL", key("body"), gone)
  redis.call("ZREM", key("at"), gone)
end
if told == "1" then
  redis.call("HDEL", key("st"), "failing")
  redis.call("HSET", key("st"), "last", now_ms)
elseif told == "0" then
  redis.call("HSETNX", key("st"), "failing", now_ms)
end
for _, name in ipairs({key("d"), key("body"), key("at"), key("st")}) do
  redis.call("EXPIRE", name, KEPT_S)
end
return {"ok"}

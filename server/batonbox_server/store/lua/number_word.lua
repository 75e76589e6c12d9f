#!lua
-- Keep what a customer last said about being written to from this number, wherever it leads; a
-- message that comes again has its first time, so that an old STOP undoes no later START.
--
-- KEYS[1] number prefix
-- derives word oo
-- ARGV[1] provider_id
-- ARGV[2] customer
-- ARGV[3] word
-- ARGV[4] keep_ms
-- Returns {"ok", at}
--- @include "lib/keys"
local provider_id, customer, word, keep_ms = unpack(ARGV)
local known = redis.call("GET", key("word", provider_id))
if known then return {"ok", tonumber(known)} end
local t = redis.call("TIME")
local last = math.abs(tonumber(redis.call("HGET", key("oo"), customer) or 0))
local at = math.max(t[1] * 1000 + math.floor(t[2] / 1000), last + 1)
redis.call("HSET", key("oo"), customer, word == "stop" and at or -at)
redis.call("SET", key("word", provider_id), at, "PX", keep_ms)
return {"ok", at}

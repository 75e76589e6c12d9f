#!lua
-- Hand due jobs to one caller; nobody else gets them before the lease ends.
--
-- KEYS[1] organisation prefix
-- derives jobs due
-- ARGV[1] lease_ms
-- ARGV[2] n
-- Returns {"ok", jobs}
--- @include "lib/keys"
local lease_ms, n = tonumber(ARGV[1]), tonumber(ARGV[2])
local t = redis.call("TIME")
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local jobs = {}
for _, id in ipairs(redis.call("ZRANGEBYSCORE", key("due"), "-inf", now, "LIMIT", 0, n)) do
  redis.call("ZADD", key("due"), now + lease_ms, id)
  table.insert(jobs, redis.call("HGET", key("jobs"), id))
end
return {"ok", jobs}

#!lua
-- The job is applied.
--
-- KEYS[1] organisation prefix
-- derives jobs due
-- ARGV[1] id
-- Returns {"ok"}
--- @include "lib/keys"
redis.call("HDEL", key("jobs"), ARGV[1])
redis.call("ZREM", key("due"), ARGV[1])
return {"ok"}

#!lua
-- Forget a webhook's place in a log.
--
-- KEYS[1] inbox prefix
-- derives hk held
-- ARGV[1] hook
-- Returns {"ok"}
--- @include "lib/keys"
redis.call("HDEL", key("hk"), ARGV[1])
redis.call("HDEL", key("held"), ARGV[1])
return {"ok"}

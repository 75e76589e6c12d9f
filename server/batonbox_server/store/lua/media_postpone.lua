#!lua
-- A fetch failed and shall be tried again.
--
-- KEYS[1] organisation prefix
-- derives media media_new media_held media_in media_due media_gone
-- ARGV[1] id
-- ARGV[2] after_ms
-- Returns {"ok"}
--- @include "lib/media"
redis.call("ZADD", key("media_due"), "XX", now_ms() + tonumber(ARGV[2]), ARGV[1])
return {"ok"}

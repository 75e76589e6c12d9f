#!lua
-- Keep the hash of a user's new password, and end their sessions but `keep`. `before` is the hash
-- to be replaced: `*` any, empty for none yet.
--
-- KEYS[1] organisation prefix
-- derives meta log ev users tokens tk ut exp pw
-- ARGV[1] user
-- ARGV[2] hash
-- ARGV[3] keep
-- ARGV[4] before
-- Returns {"ok", ended} | {"not_found"} | {"stale"}
--- @include "lib/token"
local user, hash, keep, before = unpack(ARGV)
local cx = open()
if not cx or redis.call("HEXISTS", key("users"), user) == 0 then return {"not_found"} end
local present = redis.call("HGET", key("pw"), user) or ""
if present == hash then return {"ok", 0} end -- sent again
if before ~= "*" and before ~= present then return {"stale"} end
local ended = sessions_of(user, keep)
tick(cx)
plan_end(cx, ended)
erase_tokens(ended)
redis.call("HSET", key("pw"), user, hash)
commit_log(cx)
return {"ok", #ended}

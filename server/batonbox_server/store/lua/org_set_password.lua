#!lua
-- Keep the hash of a user's new password, and end their sessions but `keep`. `before` is the hash
-- to be replaced: `*` any, empty for none yet.
--
-- KEYS[1] organisation prefix
-- derives meta log ev users tokens tk ut exp pw au
-- ARGV[1] user
-- ARGV[2] hash
-- ARGV[3] keep
-- ARGV[4] before
-- ARGV[5] by
-- Returns {"ok", ended} | {"not_found"} | {"stale"}
--- @include "lib/token"
--- @include "lib/audit"
local user, hash, keep, before = unpack(ARGV)
local cx = open()
if not cx or redis.call("HEXISTS", key("users"), user) == 0 then return {"not_found"} end
local present = redis.call("HGET", key("pw"), user) or ""
if present == hash then return {"ok", 0} end -- sent again
if before ~= "*" and before ~= present then return {"stale"} end
local ended = sessions_of(user, keep)
cx.by = cmsgpack.unpack(ARGV[5])
audit(cx, cx.by, "password_set", cx.by.actor, {target = user, detail = {sessions_ended = #ended}})
tick(cx)
plan_end(cx, ended)
erase_tokens(ended)
redis.call("HSET", key("pw"), user, hash)
commit_audit(cx)
commit_log(cx)
return {"ok", #ended}

#!lua
-- Keep a token by the hash of its secret; its user must exist.
--
-- KEYS[1] organisation prefix
-- derives meta log ev users tokens tk ut
-- ARGV[1] id
-- ARGV[2] user
-- ARGV[3] sha256
-- ARGV[4] record
-- ARGV[5] body
-- Returns {"ok", seq} | {"not_found"}
--- @include "lib/log"
local id, user, sha256, record, body = unpack(ARGV)
local cx = open()
if not cx or redis.call("HEXISTS", key("users"), user) == 0 then return {"not_found"} end
tick(cx)
emit(cx, {type = "token_changed", actor = ""}, body)
redis.call("HSET", key("tokens"), id, record)
redis.call("HSET", key("tk"), sha256, id)
redis.call("SADD", key("ut", user), id)
commit_log(cx)
return {"ok", cx.seq}

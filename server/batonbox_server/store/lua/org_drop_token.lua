#!lua
-- Revoke a token; the event makes every node close its connections.
--
-- KEYS[1] organisation prefix
-- derives meta log ev tokens tk ut
-- ARGV[1] id
-- ARGV[2] body
-- Returns {"ok", seq} | {"not_found"}
--- @include "lib/log"
local id, body = ARGV[1], ARGV[2]
local cx = open()
local raw = redis.call("HGET", key("tokens"), id)
if not cx or not raw then return {"not_found"} end
local token = cmsgpack.unpack(raw)
tick(cx)
emit(cx, {type = "token_deleted", actor = "", user = token.user, token = id}, body)
redis.call("HDEL", key("tokens"), id)
redis.call("HDEL", key("tk"), token.sha256)
redis.call("SREM", key("ut", token.user), id)
commit_log(cx)
return {"ok", cx.seq}

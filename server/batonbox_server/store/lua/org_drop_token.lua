#!lua
-- Revoke a token; the event makes every node close its connections.
--
-- KEYS[1] organisation prefix
-- derives meta log ev tokens tk ut exp
-- ARGV[1] id
-- Returns {"ok", seq} | {"not_found"}
--- @include "lib/token"
local cx, token = open(), token_of(ARGV[1])
if not cx or not token then return {"not_found"} end
tick(cx)
plan_end(cx, {token})
erase_tokens({token})
commit_log(cx)
return {"ok", cx.seq}

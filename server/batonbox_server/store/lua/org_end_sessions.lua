#!lua
-- Sign a user out everywhere but in the session `keep`.
--
-- KEYS[1] organisation prefix
-- derives meta log ev tokens tk ut exp
-- ARGV[1] user
-- ARGV[2] keep
-- Returns {"ok", ended} | {"not_found"}
--- @include "lib/token"
local cx = open()
if not cx then return {"not_found"} end
local ended = sessions_of(ARGV[1], ARGV[2])
tick(cx)
plan_end(cx, ended)
erase_tokens(ended)
commit_log(cx)
return {"ok", #ended}

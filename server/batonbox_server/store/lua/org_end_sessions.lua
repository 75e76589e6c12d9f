#!lua
-- Sign a user out everywhere but in the session `keep`.
--
-- KEYS[1] organisation prefix
-- derives meta log ev tokens tk ut exp au
-- ARGV[1] user
-- ARGV[2] keep
-- ARGV[3] by
-- Returns {"ok", ended} | {"not_found"}
--- @include "lib/token"
--- @include "lib/audit"
local cx = open()
if not cx then return {"not_found"} end
local ended = sessions_of(ARGV[1], ARGV[2])
if #ended == 0 then return {"ok", 0} end
cx.by = cmsgpack.unpack(ARGV[3])
audit(cx, cx.by, "sessions_ended", cx.by.actor, {target = ARGV[1], detail = {sessions = #ended}})
tick(cx)
plan_end(cx, ended)
erase_tokens(ended)
commit_audit(cx)
commit_log(cx)
return {"ok", #ended}

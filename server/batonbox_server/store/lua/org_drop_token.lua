#!lua
-- Revoke a token; the event makes every node close its connections. `by` empty: its time was over.
--
-- KEYS[1] organisation prefix
-- derives meta log ev tokens tk ut exp au
-- ARGV[1] id
-- ARGV[2] by
-- Returns {"ok", seq} | {"not_found"}
--- @include "lib/token"
--- @include "lib/audit"
local cx, token = open(), token_of(ARGV[1])
if not cx or not token then return {"not_found"} end
if ARGV[2] ~= "" then
  local by = cmsgpack.unpack(ARGV[2])
  local act = token.kind ~= "session" and "token_revoked"
    or by.token == token.id and "sign_out" or "session_revoked"
  cx.by = by
  audit(cx, by, act, by.actor, {target = token.id, detail = {user = token.user, label = token.label}})
end
tick(cx)
plan_end(cx, {token}, ARGV[2] == "")
erase_tokens({token})
commit_audit(cx)
commit_log(cx)
return {"ok", cx.seq}

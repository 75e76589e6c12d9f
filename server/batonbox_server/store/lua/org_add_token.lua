#!lua
-- Keep a token by the hash of its secret; its user must exist and be active. With `expires_ms` it is a session:
-- a user has at most `most`, the oldest give way. `proof` is what the session was given for and
-- must still hold: `password:<hash>`, `oidc:<identity>`, or `link:<sha256>`, which is used up in this step.
--
-- KEYS[1] organisation prefix
-- derives meta log ev users tokens tk ut exp pw oidc link failed au
-- ARGV[1] record
-- ARGV[2] body
-- ARGV[3] expires_ms
-- ARGV[4] most
-- ARGV[5] proof
-- ARGV[6] by
-- Returns {"ok", seq} | {"not_found"} | {"inactive"} | {"stale"}
--- @include "lib/token"
--- @include "lib/audit"
local record, body = ARGV[1], ARGV[2]
local token, expires_ms, most = cmsgpack.unpack(record), tonumber(ARGV[3]), tonumber(ARGV[4])
local id, user = token.id, token.user
local cx = open()
local whose = redis.call("HGET", key("users"), user)
if not cx or not whose then return {"not_found"} end
if cmsgpack.unpack(whose).active == false then return {"inactive"} end
if token_of(id) then return {"ok", cx.seq} end -- sent again
local kind, shown = string.match(ARGV[5], "^(%a+):(.*)$")
if kind == "password" and redis.call("HGET", key("pw"), user) ~= shown then return {"stale"} end
if kind == "oidc" and redis.call("HGET", key("oidc"), user) ~= shown then return {"stale"} end
if kind == "link" and redis.call("GET", key("link", shown)) ~= user then return {"stale"} end
local surplus = {}
if expires_ms > 0 then
  local mine = sessions_of(user)
  for i = 1, #mine + 1 - most do table.insert(surplus, mine[i]) end
end
cx.by = cmsgpack.unpack(ARGV[6])
if token.kind == "session" then
  local failed = redis.call("HGET", key("failed"), user)
  audit(cx, cx.by, "sign_in", user, {target = id, detail = {agent = cx.by.agent, by = kind,
    failed_before = failed and tonumber(failed) or nil}})
else
  audit(cx, cx.by, "token_created", cx.by.actor, {target = id,
    detail = {user = user, label = token.label}})
end
tick(cx)
plan_end(cx, surplus)
emit(cx, {type = "token_changed", actor = ""}, body)
erase_tokens(surplus)
if kind == "link" then redis.call("DEL", key("link", shown)) end
if token.kind == "session" then redis.call("HDEL", key("failed"), user) end
redis.call("HSET", key("tokens"), id, record)
redis.call("HSET", key("tk"), token.sha256, id)
redis.call("SADD", key("ut", user), id)
if expires_ms > 0 then redis.call("ZADD", key("exp"), expires_ms, id) end
commit_audit(cx)
commit_log(cx)
return {"ok", cx.seq}

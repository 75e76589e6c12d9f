#!lua
-- Keep a token by the hash of its secret; its user must exist and be active. With `expires_ms` it is a session:
-- a user has at most `most`, the oldest give way. `proof` is what the session was given for and
-- must still hold: `password:<hash>`, or `link:<sha256>`, which is used up in this step.
--
-- KEYS[1] organisation prefix
-- derives meta log ev users tokens tk ut exp pw link
-- ARGV[1] id
-- ARGV[2] user
-- ARGV[3] sha256
-- ARGV[4] record
-- ARGV[5] body
-- ARGV[6] expires_ms
-- ARGV[7] most
-- ARGV[8] proof
-- Returns {"ok", seq} | {"not_found"} | {"inactive"} | {"stale"}
--- @include "lib/token"
local id, user, sha256, record, body = unpack(ARGV)
local expires_ms, most = tonumber(ARGV[6]), tonumber(ARGV[7])
local cx = open()
local whose = redis.call("HGET", key("users"), user)
if not cx or not whose then return {"not_found"} end
if cmsgpack.unpack(whose).active == false then return {"inactive"} end
if token_of(id) then return {"ok", cx.seq} end -- sent again
local kind, shown = string.match(ARGV[8], "^(%a+):(.*)$")
if kind == "password" and redis.call("HGET", key("pw"), user) ~= shown then return {"stale"} end
if kind == "link" and redis.call("GET", key("link", shown)) ~= user then return {"stale"} end
local surplus = {}
if expires_ms > 0 then
  local mine = sessions_of(user)
  for i = 1, #mine + 1 - most do table.insert(surplus, mine[i]) end
end
tick(cx)
plan_end(cx, surplus)
emit(cx, {type = "token_changed", actor = ""}, body)
erase_tokens(surplus)
if kind == "link" then redis.call("DEL", key("link", shown)) end
redis.call("HSET", key("tokens"), id, record)
redis.call("HSET", key("tk"), sha256, id)
redis.call("SADD", key("ut", user), id)
if expires_ms > 0 then redis.call("ZADD", key("exp"), expires_ms, id) end
commit_log(cx)
return {"ok", cx.seq}

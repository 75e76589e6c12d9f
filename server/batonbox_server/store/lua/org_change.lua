#!lua
-- Write a change that was planned against the directory as of `expected`; anything newer refuses it.
-- The tokens of `gone` die in the same step. Jobs are leased to the caller at once.
--
-- KEYS[1] organisation prefix
-- derives meta log ev users inboxes routes tokens tk ut exp pw known jobs due profile invites hooks oidc au carriers
-- ARGV[1] expected
-- ARGV[2] writes
-- ARGV[3] events
-- ARGV[4] jobs
-- ARGV[5] lease_ms
-- ARGV[6] gone
-- ARGV[7] by
-- Returns {"ok", seq} | {"stale"} | {"not_found"}
--- @include "lib/token"
--- @include "lib/audit"
local expected, lease_ms, gone = tonumber(ARGV[1]), tonumber(ARGV[5]), ARGV[6]
local writes, events, jobs =
  cmsgpack.unpack(ARGV[2]), cmsgpack.unpack(ARGV[3]), cmsgpack.unpack(ARGV[4])
local cx = open()
if not cx then return {"not_found"} end
if cx.seq ~= expected then return {"stale"} end
cx.by = cmsgpack.unpack(ARGV[7])
local hashes = {users = key("users"), inboxes = key("inboxes"), routes = key("routes"),
  pw = key("pw"), profile = key("profile"), invites = key("invites"), hooks = key("hooks"),
  oidc = key("oidc"), carriers = key("carriers")}
local dead = {}
for _, id in ipairs(gone ~= "" and redis.call("SMEMBERS", key("ut", gone)) or {}) do
  table.insert(dead, token_of(id))
end
tick(cx)
for _, e in ipairs(events) do emit(cx, {type = e[1], actor = ""}, e[2]) end
-- Nodes know tokens by heart, and the user may be there again before they look.
plan_end(cx, dead)
erase_tokens(dead)
if gone ~= "" then
  redis.call("DEL", key("ut", gone), key("known", redis.sha1hex(gone)))
end
for _, w in ipairs(writes) do
  if w[3] == "" then
    redis.call("HDEL", hashes[w[1]], w[2])
  else
    redis.call("HSET", hashes[w[1]], w[2], w[3])
  end
end
for _, j in ipairs(jobs) do
  redis.call("HSET", key("jobs"), j[1], j[2])
  redis.call("ZADD", key("due"), cx.now + lease_ms, j[1])
end
audit_acts(cx, cx.by)
commit_audit(cx)
commit_log(cx)
return {"ok", cx.seq}

#!lua
-- Replace one's own post (state "edited"), or leave nothing of it but its place ("deleted": one's
-- own, or by an admin). What stood there is kept for admins.
--
-- KEYS[1] room prefix
-- derives meta log ev mem c m i mv rd at e ar
-- ARGV[1] by
-- ARGV[2] n
-- ARGV[3] state
-- ARGV[4] body
-- ARGV[5] preview
-- ARGV[6] mentions
-- ARGV[7] admin
-- Returns {"ok"} | {"not_found"} | {"forbidden"} | {"archived"} | {"target_not_member"} | {"too_old"} | {"too_often"} | {"idempotency_mismatch"}
--- @include "lib/room"
--- @include "lib/thread"
local by, n, state, body, preview = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local VERSIONS = 100
local cx, c, actor = enter(by, CONTENT_MS)
if not cx then return c end
if not c then return {"not_found"} end
if not member(cx, actor) then return {"forbidden"} end
if n < 1 or n > c.n then return {"not_found"} end
if n <= c.trimmed then return {"too_old"} end
local entry = line(ID, n, c.trimmed)
if not entry or entry.head[4] ~= "posted" then return {"not_found"} end
local admin = state == "deleted" and ARGV[7] == "1" and c.kind ~= "direct"
if entry.head[5] ~= actor and not admin then return {"forbidden"} end
if entry.head[7] == "deleted" then
  if state == "deleted" then return leave(cx, c) end
  return {"not_found"}
end
if c.archived > 0 and not admin then return {"archived"} end
local named = cmsgpack.unpack(ARGV[6])
if outsider(cx, named) then return {"target_not_member"} end
local kept = redis.call("LLEN", key("e", n))
if kept >= VERSIONS and state == "edited" then return {"too_often"} end
local at = tick(cx)
c.rev = cx.seq + 1
if n == c.last_n then c.preview = preview end
local before = "\147" .. cmsgpack.pack(at) .. cmsgpack.pack(actor) .. entry.body
emit(cx, {type = state, conv = ID, actor = actor, cid = cx.by.cid, n = n, at_ms = at,
  state = state, row = public(c)}, body)
entry.body = body
redis.call("RPUSH", key("e", n), before)
set_state(ID, entry, state)
return leave(cx, c, n)

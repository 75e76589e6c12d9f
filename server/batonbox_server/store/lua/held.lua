#!lua
-- What somebody holds, the oldest first above `after_ms`; `top` is where the newest stands now.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c as
-- writes nothing
-- ARGV[1] user
-- ARGV[2] after_ms
-- ARGV[3] n
-- Returns {"ok", top, held} | {"not_found"}
--- @include "lib/log"
local user, after_ms, n = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not open() then return {"not_found"} end
local newest = redis.call("ZREVRANGE", key("as", user), 0, 0, "WITHSCORES")
local found = redis.call("ZRANGEBYSCORE", key("as", user), "(" .. after_ms, "+inf", "WITHSCORES",
  "LIMIT", 0, n)
local held = {}
for i = 1, #found, 2 do
  local own_tok = redis.call("HGET", key("c", found[i]), "own_tok")
  table.insert(held, {found[i], own_tok, found[i + 1]})
end
return {"ok", newest[2] or "0", held}

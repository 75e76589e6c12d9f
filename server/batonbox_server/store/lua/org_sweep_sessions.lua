#!lua
-- Erase sessions whose time is over.
--
-- KEYS[1] organisation prefix
-- derives meta log ev tokens tk ut exp
-- ARGV[1] n
-- Returns {"ok", ended} | {"not_found"}
--- @include "lib/token"
local cx = open()
if not cx then return {"not_found"} end
local ended = {}
local over = redis.call("ZRANGEBYSCORE", key("exp"), "-inf", cx.now, "LIMIT", 0, tonumber(ARGV[1]))
for _, id in ipairs(over) do
  table.insert(ended, token_of(id))
end
if #ended == 0 then return {"ok", 0} end
tick(cx)
plan_end(cx, ended, true)
erase_tokens(ended)
commit_log(cx)
return {"ok", #ended}

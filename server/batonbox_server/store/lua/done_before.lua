#!lua
-- Conversations that are done and have not changed since `before_ms`, oldest first, behind `after`;
-- not those that are held, or that something still leaves. `next` is the last looked at.
--
-- KEYS[1] inbox prefix
-- derives meta log ev done hold out
-- ARGV[1] before_ms
-- ARGV[2] after
-- ARGV[3] n
-- Returns {"ok", convs, next} | {"not_found"}
--- @include "lib/log"
if not open() then return {"not_found"} end
local from = ARGV[2] == "" and "-inf" or "(" .. ARGV[2]
local found = redis.call("ZRANGEBYSCORE", key("done"), from, "(" .. ARGV[1], "WITHSCORES", "LIMIT", 0,
  tonumber(ARGV[3]))
local convs = {}
for i = 1, #found, 2 do
  local conv = found[i]
  if redis.call("HEXISTS", key("hold"), conv) == 0 and redis.call("EXISTS", key("out", conv)) == 0 then
    table.insert(convs, conv)
  end
end
return {"ok", convs, #found == 2 * tonumber(ARGV[3]) and found[#found] or ""}

#!lua
-- Index and room agree: the job ends, and what it did is written down with that, once.
--
-- KEYS[1] organisation prefix
-- derives jobs due au
-- ARGV[1] job
-- ARGV[2] by
-- Returns {"ok"}
--- @include "lib/audit"
local job = ARGV[1]
if redis.call("HDEL", key("jobs"), job) == 1 then
  local cx = {by = cmsgpack.unpack(ARGV[2])}
  audit_acts(cx, cx.by)
  commit_audit(cx)
end
redis.call("ZREM", key("due"), job)
return {"ok"}

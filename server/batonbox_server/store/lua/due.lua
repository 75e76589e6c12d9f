#!lua
-- Everything that fell due by time, in one batch: removals go on, what was put aside wakes, silent
-- and gone owners lose what waits. `left` is how much is due still; idle: nothing was.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c mem av off au oo gm su i out ow gone sno done as un op wq unm m due ar
-- Returns {"ok", left} | {"idle", left} | {"not_found"}
--- @include "lib/due"
--- @include "lib/indexed"
local cx = open()
if not cx then return {"not_found"} end
local more = index_owed(BATCH)
if more then return {"ok", more} end
plan(cx)
local at, left = clock(cx), 0
local job = redis.call("ZRANGEBYSCORE", key("due"), "-inf", cx.now, "LIMIT", 0, 1)[1]
local user = job and string.match(job, "^sweep:(.+)$")
if user then left = select(2, sweep(cx, user)) end
wake_due(cx, at)
silent_due(cx, at)
gone_due(cx, at)
if #cx.entries == 0 and not job then return {"idle", 0} end
commit(cx)
if user then schedule(cx, user, left) end
return {"ok", left + still_due(at)}

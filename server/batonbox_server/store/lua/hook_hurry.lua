#!lua
-- Whatever of a webhook is held in this inbox is due now, under whichever lease comes next.
--
-- KEYS[1] inbox prefix
-- derives meta log ev hk
-- ARGV[1] hook
-- Returns {"ok", held}
--- @include "lib/hook"
local c = cursor(ARGV[1])
if not c or c.due == 0 then return {"ok", 0} end
c.hurry = true
keep_cursor(ARGV[1], c)
return {"ok", 1}

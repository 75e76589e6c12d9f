#!lua
-- Give a lease back: everything up to `seq` is told, or held to be tried again at `due` (0: nothing
-- is held; `full` 1: take no more until then). Who no longer has the lease changes nothing.
--
-- KEYS[1] inbox prefix
-- derives meta log ev hk held
-- ARGV[1] hook
-- ARGV[2] holder
-- ARGV[3] epoch
-- ARGV[4] seq
-- ARGV[5] due
-- ARGV[6] full
-- ARGV[7] held
-- Returns {"ok", behind} | {"lost"}
--- @include "lib/hook"
local hook, holder, epoch, held = ARGV[1], ARGV[2], ARGV[3], ARGV[7]
local seq, due, full = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local cx, c = open(), cursor(hook)
if not cx or not c or c.holder ~= holder then return {"lost"} end
c.epoch, c.seq, c.tip, c.due, c.full, c.till = epoch, seq, tip_at(cx, seq), due, full, 0
if epoch ~= cx.epoch then c.tip = "" end
keep_cursor(hook, c)
if held == "" then
  redis.call("HDEL", key("held"), hook)
else
  redis.call("HSET", key("held"), hook, held)
end
return {"ok", full == 0 and cx.seq - seq or 0}

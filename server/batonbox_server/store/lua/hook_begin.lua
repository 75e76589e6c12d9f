#!lua
-- Let a webhook begin at the present end of a log, or at the very beginning of one that is still to
-- be made; the same `run` begins once.
--
-- KEYS[1] inbox prefix
-- derives meta log ev hk held
-- ARGV[1] hook
-- ARGV[2] run
-- Returns {"ok"}
--- @include "lib/hook"
local hook, run = unpack(ARGV)
local cx, was = open(), cursor(hook)
if was and was.run == run then return {"ok"} end
keep_cursor(hook, {run = run, epoch = cx and cx.epoch or "", seq = cx and cx.seq or 0,
  tip = cx and cx.tip or "", due = 0, full = 0, holder = "", till = 0})
redis.call("HDEL", key("held"), hook)
return {"ok"}

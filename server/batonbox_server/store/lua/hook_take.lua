#!lua
-- Lease a webhook's place in a log to `holder`, with the next <= n entries. `lost` says why it does
-- not continue where it stood: the log was trimmed past it, is another one (epoch), or its end was
-- rewritten (fork: the last REWIND are told again, under ids that tell the same from another).
-- `new` 1: there was no place, so that who holds a stale record may have come back to a dropped one.
--
-- KEYS[1] inbox prefix
-- derives meta log ev hk held
-- ARGV[1] hook
-- ARGV[2] holder
-- ARGV[3] lease_ms
-- ARGV[4] n
-- Returns {"ok", epoch, seq, now, lost, missed, entries, held, hurry, new} | {"idle", due_in} | {"busy", ms} | {"not_found"}
--- @include "lib/hook"
local hook, holder, lease_ms, n = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local REWIND = 256
local cx = open()
if not cx then return {"not_found"} end
local was = cursor(hook)
local c = was
  or {run = "", epoch = "", seq = 0, tip = "", due = 0, full = 0, holder = "", till = 0}
if c.till > cx.now and c.holder ~= holder then return {"busy", c.till - cx.now} end
local first = redis.call("XRANGE", key("log"), "-", "+", "COUNT", 1)[1]
local before = first and tonumber(string.match(first[1], "^%d+")) - 1 or cx.seq
local from, lost, missed = c.seq, "", 0
local tip = c.seq > 0 and c.tip ~= "" and c.seq <= cx.seq and tip_at(cx, c.seq) or ""
if c.epoch ~= "" and c.epoch ~= cx.epoch then
  from, lost = before, "epoch"
elseif c.seq > cx.seq or (tip ~= "" and tip ~= c.tip) then
  from, lost = math.max(before, math.min(c.seq, cx.seq) - REWIND), "fork"
elseif c.seq < before then
  from, lost, missed = before, "trimmed", before - c.seq
end
local entries = {}
if c.full == 0 then
  entries = redis.call("XRANGE", key("log"), (from + 1) .. "-0", "+", "COUNT", n)
end
if #entries == 0 and lost == "" and (c.due == 0 or c.due > cx.now) and not c.hurry then
  return {"idle", c.due > 0 and c.due - cx.now or -1}
end
local hurry = c.hurry and 1 or 0
c.holder, c.till, c.hurry = holder, cx.now + lease_ms, nil
keep_cursor(hook, c)
return {"ok", cx.epoch, from, cx.now, lost, missed, entries,
  redis.call("HGET", key("held"), hook) or "", hurry, was and 0 or 1}

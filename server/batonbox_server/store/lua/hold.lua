#!lua
-- Nothing of a conversation or room is erased from now on, or no longer; saying it twice changes
-- nothing. What an admin does, who need not stand here. Of a room the organisation's audit log tells.
--
-- KEYS[1] log prefix
-- derives meta log ev c hold au
-- ARGV[1] conv
-- ARGV[2] by
-- ARGV[3] on
-- ARGV[4] reason
-- Returns {"ok", held} | {"not_found"}
--- @include "lib/row"
--- @include "lib/audit"
local conv, by, on, reason = ARGV[1], cmsgpack.unpack(ARGV[2]), ARGV[3] == "1", ARGV[4]
local cx = open()
if not cx or redis.call("EXISTS", key("c", conv)) == 0 then return {"not_found"} end
local held = redis.call("HGET", key("hold"), conv)
if on == (held and true or false) then return {"ok", held or ""} end
cx.by = by
if string.sub(ID, 1, 1) ~= "~" then
  audit(cx, by, on and "hold" or "release_hold", by.actor, {
    conv = conv, detail = reason ~= "" and {reason = reason} or nil,
  })
end
if on then
  held = cmsgpack.pack({reason, by.actor, cx.now})
  redis.call("HSET", key("hold"), conv, held)
else
  held = ""
  redis.call("HDEL", key("hold"), conv)
end
commit_audit(cx)
return {"ok", held}

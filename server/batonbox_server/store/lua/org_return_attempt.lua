#!lua
-- An attempt was no failure: give it back. `days` > 0: remember the address as the user's own.
--
-- KEYS[1] organisation prefix
-- derives try known
-- ARGV[1] user
-- ARGV[2] address
-- ARGV[3] user_every_ms
-- ARGV[4] address_every_ms
-- ARGV[5] days
-- Returns {"ok"}
--- @include "lib/attempts"
local user, address, days = ARGV[1], ARGV[2], tonumber(ARGV[5])
local now, who = now_ms(), tried(user, address)
if who then set_free_at(who, free_at(who, now) - tonumber(ARGV[3]), now) end
local from = "a:" .. address
set_free_at(from, free_at(from, now) - tonumber(ARGV[4]), now)
if who and days > 0 then
  local known = key("known", redis.sha1hex(user))
  redis.call("ZADD", known, now, address)
  redis.call("ZREMRANGEBYRANK", known, 0, -11)
  redis.call("EXPIRE", known, days * 86400)
end
return {"ok"}

#!lua
-- Give up files that no message took in time and those of inboxes that were deleted; returns up to
-- n whose bytes are to be erased, the same ones until media_erased says that they are.
--
-- KEYS[1] organisation prefix
-- derives media media_new media_held media_in media_due media_gone inboxes
-- ARGV[1] n
-- Returns {"ok", ids}
--- @include "lib/media"
local n = tonumber(ARGV[1])
for _, id in ipairs(redis.call("ZRANGEBYSCORE", key("media_new"), "-inf", now_ms(), "LIMIT", 0, n)) do
  local file = media(id)
  if file then hold(file, -1) end
  discard(id)
end
for _, inbox in ipairs(redis.call("SMEMBERS", key("media_in"))) do
  local room = string.sub(inbox, 1, 1) == "~"  -- never deleted, and not among the inboxes
  if not room and redis.call("HEXISTS", key("inboxes"), inbox) == 0 then
    for _, id in ipairs(redis.call("SPOP", key("media_in", inbox), n)) do discard(id) end
    if redis.call("EXISTS", key("media_in", inbox)) == 0 then
      redis.call("SREM", key("media_in"), inbox)
    end
  end
end
return {"ok", redis.call("SRANDMEMBER", key("media_gone"), n)}

--- @include "lib/keys"
-- An outbound message's attempts: leases so far, those of them that count for nothing, whether one
-- ended without an answer, and whether the latest is still open ("turn:free:unsettled:open"; before
-- there were four, the number of leases alone).
local function attempts(item)
  local raw = redis.call("HGET", key("try"), item) or "0:0:0:0"
  local turn, free, unsettled, open = string.match(raw, "^(%d+):(%d+):(%d):(%d)$")
  return {turn = tonumber(turn or raw), free = tonumber(free or 0),
    unsettled = (unsettled or "1") == "1", open = open == "1"}
end

local function keep_attempts(item, t)
  redis.call("HSET", key("try"), item, string.format("%d:%d:%d:%d", t.turn, t.free,
    t.unsettled and 1 or 0, t.open and 1 or 0))
end

-- The message failed; if it may have arrived all the same, that is still so when it is sent again.
local function forget_attempts(item, unsettled)
  local t = attempts(item)
  if t.turn == 0 then return end
  if not unsettled and not t.unsettled then
    redis.call("HDEL", key("try"), item)
  else
    keep_attempts(item, {turn = t.turn, free = t.turn, unsettled = true, open = false})
  end
end

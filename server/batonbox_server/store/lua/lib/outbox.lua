--- @include "lib/keys"
-- Outbound messages wait in one line per conversation. `out` holds the conversations by the time at
-- which their head is due: a head that is leased or postponed holds up its own line, nobody else's.

local function enqueue(cx, conv, n)
  if redis.call("RPUSH", key("out", conv), n) == 1 then
    redis.call("ZADD", key("out"), cx.now, conv)
  end
end

local function first_in_line(conv)
  return redis.call("LINDEX", key("out", conv), 0)
end

-- `n` (a string) has ended: if it was the head, the next one is due now. Returns how many wait.
local function dequeue(cx, conv, n)
  local was_head = first_in_line(conv) == n
  redis.call("LREM", key("out", conv), 1, n)
  local waiting = redis.call("LLEN", key("out", conv))
  if waiting == 0 then
    redis.call("ZREM", key("out"), conv)
  elseif was_head then
    redis.call("ZADD", key("out"), cx.now, conv)
  end
  return waiting
end

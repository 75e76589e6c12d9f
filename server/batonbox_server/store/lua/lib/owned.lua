--- @include "lib/available"
-- What owners owe: assigned, unanswered, not put aside. `ow` has it by since when the owner is silent,
-- `ow:<user>` each owner's by when they last acted; `gone` are the owners without a connection, by
-- since when they are gone for the one they left longest; `sno` is what is put aside, by until when.

local function owes(c)
  local open = c and c.status == "assigned" and c.unanswered > 0 and c.snoozed_until == 0
  return open and c.assignee or nil
end

local function watch_gone(user)
  local since = gone_since(user)
  local first = redis.call("ZRANGE", key("ow", user), 0, 0, "WITHSCORES")
  if since > 0 and first[1] then
    redis.call("ZADD", key("gone"), math.max(since, tonumber(first[2])), user)
  else
    redis.call("ZREM", key("gone"), user)
  end
end

local function reindex_owed(was, c)
  local before, now = owes(was), owes(c)
  if before and before ~= now then
    redis.call("ZREM", key("ow", before), c.id)
    if not now then redis.call("ZREM", key("ow"), c.id) end
    if gone_since(before) > 0 then watch_gone(before) end
  end
  local same = before == now and was and was.acted_ms == c.acted_ms
    and was.waiting_since == c.waiting_since
  if now and not same then
    redis.call("ZADD", key("ow"), math.max(c.waiting_since, c.acted_ms), c.id)
    redis.call("ZADD", key("ow", now), c.acted_ms, c.id)
    if gone_since(now) > 0 then watch_gone(now) end
  end
end

local function reindex_owned(was, c)
  reindex_owed(was, c)
  if c.snoozed_until > 0 then
    redis.call("ZADD", key("sno"), c.snoozed_until, c.id)
  elseif was and was.snoozed_until > 0 then
    redis.call("ZREM", key("sno"), c.id)
  end
end

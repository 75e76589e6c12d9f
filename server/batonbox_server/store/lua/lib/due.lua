--- @include "lib/sweep"
-- What falls due by time, in batches: each event is nobody's act.

-- Conversations of an index up to `till`, at most what is left of the batch.
local function ripe(cx, index, till)
  local found = {}
  local room = BATCH - #cx.entries
  for _, conv in ipairs(redis.call("ZRANGEBYSCORE", index, "-inf", till, "LIMIT", 0, room)) do
    if not cx.was[conv] then table.insert(found, load(cx, conv)) end
  end
  return found
end

local function take_back(cx, c, reason)
  give_back(cx, c, owner_counts(cx, c) and reason or "membership")
end

-- What was put aside is there again; in vain for an owner who is away.
local function wake_due(cx, at)
  for _, c in ipairs(ripe(cx, key("sno"), at)) do
    if absent(c, at) or not owner_counts(cx, c) then
      take_back(cx, c, "woken")
    else
      local was = before(cx, c)
      c.snoozed_until, c.acted_ms = 0, tick(cx)
      c.att, c.unseen = mark(cx, "att" .. c.id), true
      record(cx, "woken", c, was, "", "", {reason = "due"})
    end
  end
end

local function silent_till(at)
  local minutes = options().silent_min
  return minutes > 0 and at - minutes * 60000 or 0
end

local function gone_till(at)
  local minutes = options().offline_min
  return minutes > 0 and at - minutes * 60000 or 0
end

local function silent_due(cx, at)
  for _, c in ipairs(ripe(cx, key("ow"), silent_till(at))) do take_back(cx, c, "silent") end
end

local function gone_due(cx, at)
  local till = gone_till(at)
  for _, user in ipairs(redis.call("ZRANGEBYSCORE", key("gone"), "-inf", till, "LIMIT", 0, BATCH)) do
    for _, c in ipairs(ripe(cx, key("ow", user), till)) do take_back(cx, c, "offline") end
  end
end

-- How much is due still; owners count once.
local function still_due(at)
  return redis.call("ZCOUNT", key("sno"), "-inf", at)
    + redis.call("ZCOUNT", key("ow"), "-inf", silent_till(at))
    + redis.call("ZCOUNT", key("gone"), "-inf", gone_till(at))
end

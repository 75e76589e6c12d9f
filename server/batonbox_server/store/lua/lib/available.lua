--- @include "lib/member"
-- Who is available, as this slot was told: `av` is what people set ("<position>:<mode>"), `off` since
-- when they have no connection ("<version>:<ms>", 0: they have one).
local OPTIONS = {
  reopen_to = "queue", members_may_dispatch = false, silent_min = 0, offline_min = 5,
  stop_text = "", start_text = "", help_text = "",
}

local function options()
  local packed = redis.call("HGET", key("meta"), "options")
  return packed and cmsgpack.unpack(packed) or OPTIONS
end

-- "" or "away" or "release".
local function mode_of(user)
  local v = redis.call("HGET", key("av"), user)
  return v and string.match(v, "^%d+:(.*)$") or ""
end

local function gone_since(user)
  local v = redis.call("HGET", key("off"), user)
  return v and tonumber(string.match(v, ":(%d+)$")) or 0
end

local function available(cx, user)
  local m = member(cx, user)
  return m ~= nil and m.joined and mode_of(user) == "" and gone_since(user) == 0
end

-- What whoever hands something over should know of who gets it; "" is nothing.
local function warning_of(user)
  if mode_of(user) ~= "" then return "away" end
  return gone_since(user) > 0 and "offline" or ""
end

-- Why an owner does not keep what needs an answer at `at`; nil: they do.
local function absent(c, at)
  if mode_of(c.assignee) == "release" then return "away" end
  local since = gone_since(c.assignee)
  if since == 0 then return nil end
  local grace = options().offline_min * 60000
  local late = grace > 0 and at - math.max(since, c.acted_ms) >= grace
  return late and "offline" or nil
end

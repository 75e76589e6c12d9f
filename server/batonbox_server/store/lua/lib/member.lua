--- @include "lib/keys"
-- Standing in the inbox: "<role>:<joined>:<since_seq>". `cx.members` holds what this script
-- changes, `cx.stand` what it has read.

local function member(cx, user)
  local planned = cx.members and cx.members[user]
  if planned ~= nil then return planned or nil end
  local known = cx.stand[user]
  if known then return known end
  local v = redis.call("HGET", key("mem"), user)
  if not v then return nil end
  local role, joined, since = string.match(v, "^(%a+):(%d):(%d+)$")
  known = {role = role, joined = joined == "1", since = tonumber(since)}
  cx.stand[user] = known
  return known
end

-- An assignee counts only while their membership is older than the ownership it carries: leaving
-- and coming back revives nothing.
local function owner_counts(cx, c)
  local m = member(cx, c.assignee)
  return m ~= nil and m.since < tonumber(string.match(c.own_tok, "^%d+"))
end

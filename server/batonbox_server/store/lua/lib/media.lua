--- @include "lib/keys"
-- Files of messages. A record is kept per file; what no message carries yet stands in `media_new` by
-- the time at which it is erased, and counts in `media_held` against who uploaded it.
local function now_ms()
  local t = redis.call("TIME")
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function media(id)
  local flat = redis.call("HGETALL", key("media", id))
  if #flat == 0 then return nil end
  local found = {}
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end

local function hold(file, sign)
  if file.owner == "" then return end
  local left = redis.call("HINCRBY", key("media_held"), file.owner, sign * tonumber(file.size))
  if left <= 0 then redis.call("HDEL", key("media_held"), file.owner) end
end

-- A message of this inbox carries it now.
local function bind(id, inbox)
  redis.call("HSET", key("media", id), "inbox", inbox)
  redis.call("ZREM", key("media_new"), id)
  redis.call("SADD", key("media_in"), inbox)
  redis.call("SADD", key("media_in", inbox), id)
end

-- The record goes; its file goes when a node comes to it.
local function discard(id)
  redis.call("DEL", key("media", id))
  redis.call("ZREM", key("media_new"), id)
  redis.call("ZREM", key("media_due"), id)
  redis.call("SADD", key("media_gone"), id)
end

--- @include "lib/keys"
-- Attempts to sign in, limited by the generic cell rate algorithm: `burst` at once, then one every
-- `every` ms; its state is one time, kept for as long as it matters.

-- Who is tried: the user, or the user from an address where they signed in before. So whoever tries
-- from elsewhere uses up nothing of theirs.
local function tried(user, address)
  if user == "" then return nil end
  local name = "u:" .. redis.sha1hex(user)
  if redis.call("ZSCORE", key("known", redis.sha1hex(user)), address) then
    return name .. "@" .. address
  end
  return name
end

local function now_ms()
  local t = redis.call("TIME")
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function free_at(name, now)
  return math.max(tonumber(redis.call("GET", key("try", name)) or 0), now)
end

local function set_free_at(name, at, now)
  if at <= now then
    redis.call("DEL", key("try", name))
  else
    redis.call("SET", key("try", name), string.format("%.0f", at), "PX", math.ceil(at - now))
  end
end

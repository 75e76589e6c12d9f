--- @include "lib/keys"
-- The generic cell rate algorithm: `burst` at once, then one every `every` ms. Its state is one time
-- per name, kept for as long as it matters; the engine's clock is the only one.

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

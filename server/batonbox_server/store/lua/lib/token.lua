--- @include "lib/log"
-- Tokens: API tokens, and sessions of people, which also end by time (`exp`).

local function token_of(id)
  local raw = redis.call("HGET", key("tokens"), id)
  return raw and cmsgpack.unpack(raw) or nil
end

-- A user's sessions but `keep`, the oldest first.
local function sessions_of(user, keep)
  local found = {}
  for _, id in ipairs(redis.call("SMEMBERS", key("ut", user))) do
    local token = id ~= keep and token_of(id)
    if token and token.kind == "session" then table.insert(found, token) end
  end
  table.sort(found, function(a, b)
    if a.created_ms ~= b.created_ms then return a.created_ms < b.created_ms end
    return a.id < b.id
  end)
  return found
end

-- Plan the end of tokens: the events make every node close their connections. `expired`: their time
-- was over, nobody ended them.
local function plan_end(cx, tokens, expired)
  for _, token in ipairs(tokens) do
    local meta = {type = "token_deleted", actor = "", user = token.user, token = token.id}
    if expired then meta.expired = true end
    emit(cx, meta, cmsgpack.pack({id = token.id}))
  end
end

local function erase_tokens(tokens)
  for _, token in ipairs(tokens) do
    redis.call("HDEL", key("tokens"), token.id)
    redis.call("HDEL", key("tk"), token.sha256)
    redis.call("SREM", key("ut", token.user), token.id)
    redis.call("ZREM", key("exp"), token.id)
  end
end

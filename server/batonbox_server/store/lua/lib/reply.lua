--- @include "lib/keys"
-- Stored replies: what a command answered, so that a retry has no second effect.
local CONTENT_MS, ACTION_MS = 86400000, 600000

-- The first answer to this command id; touching it makes a WAIT on this connection mean something.
local function replayed(command)
  local k = key("i", command.actor .. ":" .. command.cid)
  local stored = redis.call("GET", k)
  if not stored then return nil end
  if string.sub(stored, 1, 40) ~= command.digest then return {"idempotency_mismatch"} end
  redis.call("PEXPIRE", k, command.keep_ms)
  return cmsgpack.unpack(string.sub(stored, 41))
end

local function keep_reply(command, reply)
  local k = key("i", command.actor .. ":" .. command.cid)
  redis.call("SET", k, command.digest .. cmsgpack.pack(reply), "PX", command.keep_ms)
end

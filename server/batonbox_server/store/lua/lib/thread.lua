--- @include "lib/keys"
-- A thread's entry is [n, seq, at_ms, kind, actor, cid, state, body]; the body is never re-packed.
local RANK = {queued = 1, sent = 2, delivered = 3, failed = 4}

-- The entry's header fields and its position in the list; nil of one that has left the engine.
local function line(conv, n, trimmed)
  if n <= trimmed then return nil end  -- a negative index would count from the end
  local raw = redis.call("LINDEX", key("m", conv), n - 1 - trimmed)
  if not raw then return nil end
  local head = {cmsgpack.unpack_limit(raw, 7, 1)}
  local size = table.remove(head, 1)
  return {at = n - 1 - trimmed, head = head, body = string.sub(raw, size + 1)}
end

local function set_state(conv, entry, state)
  entry.head[7] = state
  local head = cmsgpack.pack(unpack(entry.head))
  redis.call("LSET", key("m", conv), entry.at, "\152" .. head .. entry.body)
end

-- The event of a message's delivery state; the row is as it was: a receipt changes no ownership.
local function delivery_event(cx, c, entry, state, actor, cid, reason)
  emit(cx, {
    type = "delivery_changed", conv = c.id, actor = actor, cid = cid, unseen = c.unseen,
    n = entry.head[1], state = state, reason = reason, row = public(c),
    before = {status = c.status, assignee = c.assignee, att = c.att},
  })
end

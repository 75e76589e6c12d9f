--- @include "lib/log"
-- Conversation rows: absolute registers. `unseen` (is it in its owner's green set?), `prev` (for
-- undo) and `acted_ms` (since when its owner does nothing about it) ride along but are never shown.
local NUMBERS = {rev = 1, last_ms = 1, waiting_since = 1, unanswered = 1, n = 1, trimmed = 1,
  snoozed_until = 1, opted_out = 1, acted_ms = 1}
local PUBLIC = {
  "id", "our", "customer", "status", "assignee", "own_tok", "rev", "att", "in_seq", "last_ms",
  "waiting_since", "last_assignee", "unanswered", "preview", "n", "snoozed_until", "opted_out",
}

local function copy(c)
  local d = {}
  for k, v in pairs(c) do d[k] = v end
  return d
end

local function public(c)
  local d = {}
  for _, f in ipairs(PUBLIC) do d[f] = c[f] end
  return d
end

local function read_row(conv)
  local flat = redis.call("HGETALL", key("c", conv))
  if #flat == 0 then return nil end
  local c = {snoozed_until = 0, opted_out = 0, acted_ms = 0}
  for i = 1, #flat, 2 do
    c[flat[i]] = NUMBERS[flat[i]] and tonumber(flat[i + 1]) or flat[i + 1]
  end
  return c
end

local function cur(c)
  return cmsgpack.pack(public(c))
end

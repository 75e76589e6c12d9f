--- @include "lib/log"
-- Rows of conversations, and of rooms: absolute registers. `unseen` (is it in its owner's green
-- set?), `prev` (for undo), `acted_ms` (since when its owner does nothing about it) and a room's
-- `last_n` (the line of its last post) ride along but are never shown.
local NUMBERS = {rev = 1, last_ms = 1, waiting_since = 1, unanswered = 1, n = 1, trimmed = 1,
  snoozed_until = 1, opted_out = 1, acted_ms = 1, archived = 1, posts = 1, last_n = 1}
local CONVERSATION = {
  "id", "our", "customer", "status", "assignee", "own_tok", "rev", "att", "in_seq", "last_ms",
  "waiting_since", "last_assignee", "unanswered", "preview", "n", "snoozed_until", "opted_out",
}
local ROOM_ITSELF = {
  "id", "kind", "name", "people", "archived", "rev", "n", "posts", "last_ms", "last_by", "preview",
}

local function copy(c)
  local d = {}
  for k, v in pairs(c) do d[k] = v end
  return d
end

local function public(c)
  local d = {}
  for _, f in ipairs(ROOM and ROOM_ITSELF or CONVERSATION) do d[f] = c[f] end
  if ROOM then
    d.people = {}
    for user in string.gmatch(c.people, "%S+") do table.insert(d.people, user) end
  end
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

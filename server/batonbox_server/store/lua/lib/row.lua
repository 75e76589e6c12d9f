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

-- Everything that is stored of a row, but `prev`. (Before the first call there are no globals.)
local function stored(shown, ...)
  local fields = {...}
  for i = 1, #shown do fields[#fields + 1] = shown[i] end
  return fields
end

local OF_CONVERSATION = stored(CONVERSATION, "trimmed", "acted_ms")
local OF_ROOM = stored(ROOM_ITSELF, "trimmed", "last_n")

-- What events and undo tell of a row as it was.
local function before(c)
  return {rev = c.rev, status = c.status, assignee = c.assignee, att = c.att,
    waiting_since = c.waiting_since, unanswered = c.unanswered}
end

-- A row as it is shown; one table for all of them: whoever asks packs it at once.
local conversation, room = {}, {}

local function public(c)
  if not ROOM then
    for i = 1, #CONVERSATION do conversation[CONVERSATION[i]] = c[CONVERSATION[i]] end
    return conversation
  end
  for i = 1, #ROOM_ITSELF do room[ROOM_ITSELF[i]] = c[ROOM_ITSELF[i]] end
  room.people = {}
  for user in string.gmatch(c.people, "%S+") do table.insert(room.people, user) end
  return room
end

-- The row, in `c` if that is given, and in `was` too, as it is stored; nil where there is none.
local function read_row(conv, c, was)
  local flat = redis.call("HGETALL", key("c", conv))
  if #flat == 0 then return nil end
  c = c or {}
  c.snoozed_until, c.opted_out, c.acted_ms = 0, 0, 0
  for i = 1, #flat, 2 do
    local f, v = flat[i], flat[i + 1]
    if NUMBERS[f] then v = tonumber(v) end
    c[f] = v
    if was then was[f] = v end
  end
  return c
end

-- Names and values, in one list, of what is not as it is stored; of everything, if the row is new.
local function changes(c, was)
  local fields, changed, n = ROOM and OF_ROOM or OF_CONVERSATION, {}, 0
  for i = 1, #fields do
    local f = fields[i]
    if not was or c[f] ~= was[f] then
      changed[n + 1], changed[n + 2], n = f, c[f], n + 2
    end
  end
  return changed
end

local function cur(c)
  return cmsgpack.pack(public(c))
end

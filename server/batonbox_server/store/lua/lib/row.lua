--- @include "lib/log"
-- Rows of conversations, and of rooms: absolute registers. `unseen` (is it in its owner's green
-- set?), `prev` (for undo), `acted_ms` (since when its owner does nothing about it) and a room's
-- `last_n` (the line of its last post) ride along but are never shown.
local CONVERSATION = {
  "id", "our", "customer", "status", "assignee", "own_tok", "rev", "att", "in_seq", "last_ms",
  "waiting_since", "last_assignee", "unanswered", "preview", "n", "snoozed_until", "opted_out",
}
local ROOM_ITSELF = {
  "id", "kind", "name", "people", "archived", "rev", "n", "posts", "last_ms", "last_by", "preview",
}
-- What is stored beside `id`, texts and then numbers. Not read are `prev`, which only undo asks for,
-- and what `purge` keeps.
local OF_CONVERSATION, CONVERSATION_TEXTS = {
  "our", "customer", "status", "assignee", "own_tok", "att", "in_seq", "last_assignee", "preview",
  "rev", "last_ms", "waiting_since", "unanswered", "n", "snoozed_until", "opted_out", "trimmed",
  "acted_ms",
}, 9
local OF_ROOM, ROOM_TEXTS = {
  "kind", "name", "people", "last_by", "preview",
  "archived", "rev", "n", "posts", "last_ms", "trimmed", "last_n",
}, 5

-- A row as it is shown; one table for all of them: whoever asks packs it at once.
local conversation, room = {}, {}

local function public(c)
  local shown, fields = ROOM and room or conversation, ROOM and ROOM_ITSELF or CONVERSATION
  for i = 1, #fields do
    local f = fields[i]
    shown[f] = c[f]
  end
  if ROOM then
    shown.people = {}
    for user in string.gmatch(c.people, "%S+") do table.insert(shown.people, user) end
  end
  return shown
end

-- The row, in `c` if that is given; nil where there is none. `c.stored` has the values as they are
-- stored. What a row does not have, being older, is "" or 0.
local function read_row(conv, c)
  local fields, texts = ROOM and OF_ROOM or OF_CONVERSATION, ROOM and ROOM_TEXTS or CONVERSATION_TEXTS
  local stored = redis.call("HMGET", key("c", conv), unpack(fields))
  if not stored[1] then return nil end
  c = c or {}
  c.id, c.stored, c.prev, c.lines = conv, stored, nil, nil
  for i = 1, texts do c[fields[i]] = stored[i] or "" end
  for i = texts + 1, #fields do
    local v = stored[i]
    if v then
      v = v + 0
      stored[i] = v
    end
    c[fields[i]] = v or 0
  end
  return c
end

-- How many of a conversation's lines, the oldest, are erased.
local function purged_of(conv)
  return tonumber(redis.call("HGET", key("c", conv), "purged") or 0)
end

-- Names and values, in one list, and how many, of what is not as it is stored.
local changed, NONE = {}, {}

local function changes(c)
  local fields, stored, n = ROOM and OF_ROOM or OF_CONVERSATION, c.stored or NONE, 0
  for i = 1, #fields do
    local f = fields[i]
    local v = c[f]
    if v ~= stored[i] then
      changed[n + 1], changed[n + 2] = f, v
      n = n + 2
    end
  end
  if not c.stored then
    changed[n + 1], changed[n + 2] = "id", c.id
    n = n + 2
  end
  if c.prev then
    changed[n + 1], changed[n + 2] = "prev", c.prev
    n = n + 2
  end
  return changed, n
end

local function cur(c)
  return cmsgpack.pack(public(c))
end

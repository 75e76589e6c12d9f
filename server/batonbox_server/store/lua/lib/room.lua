--- @include "lib/row"
--- @include "lib/member"
--- @include "lib/marks"
--- @include "lib/reply"
--- @include "lib/kept"
-- A room is a log with one conversation in it, whose id is its own: who is in it, and how its
-- commands begin and end. What somebody has not seen is `posts` minus their mark in `rd`; `at` has
-- the ordinals of the posts behind it that name them.

-- Returns (cx, row, actor), or (nil, reply) when the answer is already known.
local function enter(packed, keep_ms)
  local by = cmsgpack.unpack(packed)
  by.keep_ms = keep_ms
  local cx = open()
  if not cx then return nil, {"not_found"} end
  local stored = replayed(by)
  if stored then return nil, stored end
  cx.by, cx.lines, cx.members = by, {}, {}
  return cx, read_row(ID), by.actor
end

-- Plan the event and the thread's line of a change already made to `c`.
local function record(cx, c, kind, more)
  c.n, c.rev = c.n + 1, cx.seq + 1
  local by, body = cx.by, more.body or cmsgpack.pack({to = more.user or "", name = more.name})
  local seq = emit(cx, {
    type = kind, conv = ID, actor = by.actor, cid = by.cid, n = c.n, at_ms = cx.last_ms,
    mentions = more.mentions, user = more.user, role = more.role, joined = more.joined, fresh = more.joined, row = public(c),
  }, body)
  local head = cmsgpack.pack(c.n, seq, cx.last_ms, kind, by.actor, by.cid, "")
  table.insert(cx.lines, "\152" .. head .. body)
end

-- Somebody is in the room from the next event on; what was said before is not new to them.
local function admit(cx, c, user)
  cx.members[user] = {role = "member", joined = true, since = cx.seq + 1}
  cx.read = cx.read or {}
  cx.read[user] = c.posts
end

local function write_room(cx, c)
  local changed, n = changes(c)
  redis.call("HSET", key("c", ID), unpack(changed, 1, n))
  if #cx.lines > 0 then redis.call("RPUSH", key("m", ID), unpack(cx.lines)) end
  index_held(ID, c.n - c.trimmed - #cx.lines, c.n - c.trimmed)
end

-- Everything planned, in one go, after the last read; keeps the answer for a retry.
local function leave(cx, c, n)
  for user, m in pairs(cx.members) do
    if m then
      redis.call("HSET", key("mem"), user, m.role .. ":1:" .. m.since)
    else
      redis.call("HDEL", key("mem"), user)
      redis.call("HDEL", key("rd"), user)
    end
    redis.call("DEL", key("at", user))
  end
  for user, read in pairs(cx.read or {}) do redis.call("HSET", key("rd"), user, read) end
  if c and #cx.entries > 0 then write_room(cx, c) end
  local reply = {"ok", ID, cx.seq, cx.tip, "", "", n or 0, #cx.entries == 0 and 1 or 0}
  commit_log(cx)
  keep_reply(cx.by, reply)
  return reply
end

-- The first of these who is not in the room.
local function outsider(cx, users)
  for _, user in ipairs(users) do
    if not member(cx, user) then return user end
  end
  return nil
end

local function mark_of(user)
  return tonumber(redis.call("HGET", key("rd"), user) or 0)
end

local function set_mark(cx, user, read)
  redis.call("HSET", key("rd"), user, read)
  redis.call("ZREMRANGEBYSCORE", key("at", user), "-inf", read)
  publish_mark(cx, user, "room", ID, tostring(read), false)
end

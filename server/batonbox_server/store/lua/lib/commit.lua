--- @include "lib/change"
--- @include "lib/reply"
--- @include "lib/outbox"
--- @include "lib/owned"
--- @include "lib/kept"
--- @include "lib/compact"
-- The writing half: everything a script planned, in one go, after its last read.

local function on_board(c)
  return c and c.status == "unassigned" and c.att ~= "" and c.id .. ":" .. c.att or nil
end

-- Since when the customer waits, while nobody has the conversation.
local function waits(c)
  return c and c.status == "unassigned" and c.waiting_since > 0 and c.waiting_since or nil
end

-- Whoever is to do something about it has it in a list of theirs, or everybody.
local function list_of(c)
  return c.status == "assigned" and key("as", c.assignee) or key("un")
end

local function relist(was, c)
  local open, was_open = c.status ~= "done", was and was.status ~= "done"
  if was_open and (was.status ~= c.status or was.assignee ~= c.assignee) then
    redis.call("ZREM", list_of(was), c.id)
  end
  if was and was_open ~= open then redis.call("ZREM", open and key("done") or key("op"), c.id) end
  redis.call("ZADD", open and key("op") or key("done"), c.last_ms, c.id)
  if open then redis.call("ZADD", list_of(c), c.last_ms, c.id) end
end

local function reindex(cx, was, c)
  relist(was, c)
  local since = waits(c)
  if since ~= waits(was) then
    if since then
      redis.call("ZADD", key("wq"), since, c.id)
    else
      redis.call("ZREM", key("wq"), c.id)
    end
  end
  if not was or was.status ~= c.status or was.att ~= c.att then
    local old, new = on_board(was), on_board(c)
    if old and old ~= new then redis.call("SREM", key("unm"), old) end
    if new and old ~= new then redis.call("SADD", key("unm"), new) end
  end
  local was_green = was and was.unseen and was.assignee
  if was_green and was_green ~= c.assignee then
    redis.call("SREM", key("gm", was_green), c.id)
  end
  local green = was_green == c.assignee and not cx.cleared[c.assignee]
  if c.status == "assigned" and c.unseen ~= green then
    redis.call(c.unseen and "SADD" or "SREM", key("gm", c.assignee), c.id)
  end
end

local function write_row(cx, c)
  local was, changed, n = cx.was[c.id], changes(c)
  redis.call("HSET", key("c", c.id), unpack(changed, 1, n))
  redis.call("RPUSH", key("m", c.id), unpack(c.lines))
  index_held(c.id, c.n - c.trimmed - #c.lines, c.n - c.trimmed)
  reindex(cx, was, c)
  reindex_owned(was, c)
end

local function commit(cx)
  for user, m in pairs(cx.members) do
    if m then
      redis.call("HSET", key("mem"), user, m.role .. ":" .. (m.joined and 1 or 0) .. ":" .. m.since)
    else
      redis.call("HDEL", key("mem"), user)
    end
  end
  for user in pairs(cx.cleared) do redis.call("DEL", key("su", user), key("gm", user)) end
  for _, c in pairs(cx.rows) do write_row(cx, c) end
  for user, k in pairs(cx.saw) do
    if redis.call("SADD", key("su", user), k) == 1 then compact(user) end
  end
  commit_audit(cx)
  for _, item in ipairs(cx.out) do enqueue(cx, item[1], item[2]) end
  commit_log(cx)
end

-- A refusal still writes down that a departed owner's conversation went back.
local function refuse(cx, reply)
  commit(cx)
  return reply
end

-- Success: write, and keep the answer for a retry of the same command. `warning` is what the caller
-- should know all the same.
local function finish(cx, c, noop, warning)
  commit(cx)
  local reply = {"ok", c.id, cx.seq, cx.tip, c.own_tok, c.att, c.n, noop and 1 or 0, warning or "",
    cx.joins and 1 or 0}
  keep_reply(cx.by, reply)
  return reply
end

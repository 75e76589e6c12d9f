--- @include "lib/row"
--- @include "lib/available"
--- @include "lib/audit"
--- @include "lib/optout"
-- Moves of one conversation, planned in memory: the Lua mirror of domain/transitions.py.

-- What indexes, events and undo know of a row as it was.
local function before(cx, c)
  local was = cx.was[c.id]
  if was and was.rev == c.rev then return was end  -- as it was read
  return {
    id = c.id, rev = c.rev, status = c.status, assignee = c.assignee, att = c.att, unseen = c.unseen,
    waiting_since = c.waiting_since, unanswered = c.unanswered, acted_ms = c.acted_ms,
    snoozed_until = c.snoozed_until,
  }
end

-- The first row of a call: most calls are about one.
local first = {}

local function load(cx, conv)
  local c = read_row(conv, next(cx.was) == nil and first or nil)
  if not c then return nil end
  c.blocked = blocked_since(c.our, c.customer)
  c.unseen = c.status == "assigned"
    and redis.call("SISMEMBER", key("gm", c.assignee), conv) == 1
  cx.was[conv] = before(cx, c)
  return c
end

local function fresh(conv, our, customer)
  return {
    id = conv, our = our, customer = customer, status = "done", assignee = "", own_tok = "",
    rev = 0, att = "", in_seq = "", last_ms = 0, waiting_since = 0, last_assignee = "",
    unanswered = 0, preview = "", n = 0, trimmed = 0, unseen = false, snoozed_until = 0,
    opted_out = 0, acted_ms = 0, prev = "", blocked = blocked_since(our, customer),
  }
end

-- Every change of (status, assignee) mints a new ownership token, forgets the way back and wakes.
local function shift(cx, c, status, assignee, salt)
  if c.status == "assigned" then c.last_assignee = c.assignee end
  c.status, c.assignee, c.prev = status, assignee, ""
  c.own_tok = mark(cx, "own" .. salt)
  c.snoozed_until, c.acted_ms = 0, status == "assigned" and cx.last_ms or 0
end

local function to_unassigned(cx, c, actor, salt)
  shift(cx, c, "unassigned", "", salt)
  c.att, c.unseen = mark(cx, "att" .. salt), false
  if actor ~= "" and member(cx, actor) then cx.saw[actor] = c.id .. ":" .. c.att end
end

-- `handed`: somebody else's doing, green until opened; a claim is green only if it was unread.
local function to_assigned(cx, c, user, salt, handed)
  if handed then
    c.att, c.unseen = mark(cx, "att" .. salt), true
  else
    c.unseen = c.att ~= "" and (cx.cleared[user]
      or redis.call("SISMEMBER", key("su", user), c.id .. ":" .. c.att) == 0)
  end
  shift(cx, c, "assigned", user, salt)
end

local function to_done(cx, c, salt)
  shift(cx, c, "done", "", salt)
  c.att, c.unseen, c.unanswered, c.waiting_since = "", false, 0, 0
end

-- What undo needs; `at` is the time of this change.
local function undoable(c, was, actor, at)
  c.prev = cmsgpack.pack({
    status = was.status, assignee = was.assignee, actor = actor, tok = c.own_tok, at_ms = at,
    waiting_since = was.waiting_since, unanswered = was.unanswered,
  })
end

-- What a system line says: who has it now ("" nobody), and why, until when or with which words.
local function outcome(c, more)
  return cmsgpack.pack({to = c.assignee, reason = more.reason, note = more.note, until_ms = more.till})
end

local NOTHING = {}
local ACTS = {
  assigned = "assign", transferred = "transfer", returned = "return", done = "done", undone = "undo",
}

local acted_before, acted_after = {}, {}

-- Every change of ownership is an act; what is nobody's (a departed owner's) has no origin.
local function audit_change(cx, kind, c, was, actor, reason)
  local act = ACTS[kind]
  if kind == "assigned" and c.assignee ~= actor then act = "dispatch" end
  if kind == "transferred" and c.assignee == actor then act = "take_over" end
  if kind == "composed" and c.assignee ~= was.assignee then act, reason = "assign", "compose" end
  if kind == "received" and c.status == "assigned" and was.status == "done" then
    act, reason = "assign", "reopened"
  end
  if not act then return end
  acted_before.status, acted_before.assignee = was.status, was.assignee
  acted_after.status, acted_after.assignee = c.status, c.assignee
  audit(cx, actor ~= "" and cx.by or nil, act, actor, {
    conv = c.id, target = c.assignee, detail = reason and {reason = reason},
    before = acted_before, after = acted_after,
  })
end

-- Plan the event and the thread's line of a change already made to `c`.
local meta, meta_before = {}, {}

local function record(cx, kind, c, was, actor, cid, more)
  more = more or NOTHING
  c.n, c.rev, c.last_ms, c.opted_out = c.n + 1, cx.seq + 1, cx.last_ms, c.blocked
  meta.type, meta.conv, meta.actor, meta.cid, meta.unseen = kind, c.id, actor, cid, c.unseen
  meta.n, meta.state, meta.reason, meta.mentions = c.n, more.state, more.reason, more.mentions
  meta.row, meta.before = public(c), was.rev > 0 and meta_before or nil
  meta_before.status, meta_before.assignee, meta_before.att = was.status, was.assignee, was.att
  local body = more.body or outcome(c, more)
  local seq = emit(cx, meta, body)
  audit_change(cx, kind, c, was, actor, more.reason)
  local head = cmsgpack.pack(c.n, seq, c.last_ms, kind, actor, cid, more.state or "")
  cx.rows[c.id] = c
  c.lines = c.lines or {}
  c.lines[#c.lines + 1] = "\152" .. head .. body
end

-- An automatic answer stands in the same line as people's messages.
local function answer(cx, c, body)
  local was = before(cx, c)
  tick(cx)
  record(cx, "answered", c, was, "", "", {body = body, state = "queued"})
  table.insert(cx.out, {c.id, c.n})
end

-- Back to everybody, as nobody's act.
local function give_back(cx, c, reason)
  local was = before(cx, c)
  tick(cx)
  to_unassigned(cx, c, "", c.id)
  record(cx, "returned", c, was, "", "", {reason = reason})
end

-- Whoever meets a conversation whose owner has left returns it first.
local function release_stale(cx, c)
  if c.status == "assigned" and not owner_counts(cx, c) then give_back(cx, c, "membership") end
end

-- A customer who writes to somebody who is away writes to everybody.
local function release_absent(cx, c)
  local why = c.status == "assigned" and absent(c, clock(cx))
  if why then give_back(cx, c, why) end
end

-- What a customer's message ends: being done, and being put aside.
local function reopen(cx, c, salt)
  local last = c.status == "done" and c.last_assignee or ""
  if last ~= "" and options().reopen_to == "last_assignee" and available(cx, last) then
    to_assigned(cx, c, last, salt, true)
  elseif c.status == "done" then
    to_unassigned(cx, c, "", salt)
  elseif c.snoozed_until > 0 then
    c.snoozed_until, c.acted_ms = 0, cx.last_ms
  end
end

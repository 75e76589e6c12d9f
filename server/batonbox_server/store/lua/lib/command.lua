--- @include "lib/commit"
-- How every member's command begins: stored reply, then standing, then the conversation.

local function plan(cx)
  cx.was, cx.rows, cx.lines, cx.saw = {}, {}, {}, {}
  cx.out, cx.members, cx.cleared = {}, {}, {}
  return cx
end

-- Returns (cx, member), or (nil, reply) when the answer is already known.
local function begin(command)
  local cx = open()
  if not cx then return nil, {"not_found"} end
  local stored = replayed(command)
  if stored then return nil, stored end
  plan(cx)
  local me = member(cx, command.actor)
  if not me then return nil, {"forbidden"} end
  return cx, me
end

-- nil if this caller may change the ownership; admins' acts on others' need the present token.
local function fence(c, actor, me, own_tok)
  if c.status ~= "assigned" then return {"not_owner", cur(c)} end
  if c.assignee ~= actor then
    if me.role ~= "admin" then return {"not_owner", cur(c)} end
    if own_tok == "" then return {"token_required", cur(c)} end
  end
  if own_tok ~= "" and own_tok ~= c.own_tok then return {"stale_token", cur(c)} end
  return nil
end

-- An admin stands in every inbox, and joins the one where they take a conversation.
local function join_admin(cx, user, m)
  if m.joined then return end
  tick(cx)
  emit(cx, {type = "member_joined", user = user, role = m.role, joined = true, fresh = true,
    actor = user})
  cx.members[user] = {role = m.role, joined = true, since = m.since}
  cx.cleared[user] = true
end

--- @include "lib/commit"
-- How every member's command begins: stored reply, then standing, then the conversation.

-- What a script plans, by kind.
local function plan(cx)
  cx.was, cx.rows, cx.saw, cx.out, cx.members, cx.cleared = {}, {}, {}, {}, {}, {}
  return cx
end

-- `packed` is {actor, cid, digest, as_member, origin, keep}, `keep_ms` how long its reply is kept.
-- Returns (cx, member, actor, cid), or (nil, reply) when the answer is already known.
local function begin(packed, keep_ms)
  local by = cmsgpack.unpack(packed)
  by.keep_ms = keep_ms
  local cx = open()
  if not cx then return nil, {"not_found"} end
  local stored = replayed(by)
  if stored then return nil, stored end
  plan(cx).by = by
  local me = member(cx, by.actor)
  -- An admin who acts as a member stands where they have joined, and has no more than a member.
  if me and by.as_member then me = me.joined and {role = "member", joined = true, since = me.since} end
  if not me then return nil, {"forbidden"} end
  return cx, me, by.actor, by.cid
end

local function stale(c, own_tok)
  if own_tok ~= "" and own_tok ~= c.own_tok then return {"stale_token", cur(c)} end
  return nil
end

-- nil if this caller may change the ownership; admins' acts on others' need the present token.
local function fence(c, actor, me, own_tok)
  if c.status ~= "assigned" then return {"not_owner", cur(c)} end
  if c.assignee ~= actor then
    if me.role ~= "admin" then return {"not_owner", cur(c)} end
    if own_tok == "" then return {"token_required", cur(c)} end
  end
  return stale(c, own_tok)
end

-- Only the owner, under the token if one is given: what even an admin does not do to others'.
local function mine(c, actor, own_tok)
  if c.status ~= "assigned" or c.assignee ~= actor then return {"not_owner", cur(c)} end
  return stale(c, own_tok)
end

-- An admin stands in every inbox, and joins the one where they take a conversation.
local function join_admin(cx, user, m)
  cx.joins = true
  if m.joined then return end
  tick(cx)
  emit(cx, {type = "member_joined", user = user, role = m.role, joined = true, fresh = true,
    actor = user})
  cx.members[user] = {role = m.role, joined = true, since = m.since}
  cx.cleared[user] = true
end

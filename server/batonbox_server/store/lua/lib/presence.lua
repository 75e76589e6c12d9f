--- @include "lib/keys"
-- Who is connected anywhere: `pn:<node>` holds a node's people, `pu` by person "<nodes>:<version>:
-- <since_ms>" (0: connected). Versions are times, rising: an engine that lost some takes none twice.

local function people(now)
  local version = tonumber(redis.call("GET", key("pv")) or 0)
  return {now = now, was = version, version = version, users = {}, came = {}, went = {}}
end

local function person(px, user)
  local p = px.users[user]
  if p then return p end
  local v = redis.call("HGET", key("pu"), user)
  local n, version, since = string.match(v or "", "^(%d+):(%d+):(%d+)$")
  p = {n = tonumber(n or 0), version = tonumber(version or 0), since = tonumber(since or 0),
    known = n ~= nil}
  px.users[user] = p
  return p
end

-- One node more (or less) has this person; 0 makes known somebody who was never connected.
local function counted(px, user, by)
  local p = person(px, user)
  local n = math.max(0, p.n + by)
  if not p.known or (n > 0) ~= (p.n > 0) then
    px.version = math.max(px.now, px.version + 1)
    p.version, p.since, p.moved = px.version, n > 0 and 0 or px.now, true
  end
  p.n, p.known, p.changed = n, true, true
end

local function comes(px, node, user)
  if redis.call("SISMEMBER", key("pn", node), user) == 1 then return end
  table.insert(px.came, {node, user})
  counted(px, user, 1)
end

local function goes(px, node, user)
  if redis.call("SISMEMBER", key("pn", node), user) == 0 then return end
  table.insert(px.went, {node, user})
  counted(px, user, -1)
end

-- Write what was planned; every change of a person is a job, so that the inboxes learn of it even
-- if whoever noticed dies now, and one message to all nodes. Returns the changes, flat.
local function commit_people(px, lease_ms)
  local moved = {}
  for _, e in ipairs(px.came) do redis.call("SADD", key("pn", e[1]), e[2]) end
  for _, e in ipairs(px.went) do redis.call("SREM", key("pn", e[1]), e[2]) end
  for user, p in pairs(px.users) do
    if p.changed then redis.call("HSET", key("pu"), user, table.concat({p.n,
      string.format("%.0f", p.version), string.format("%.0f", p.since)}, ":")) end
    if p.moved then
      for _, v in ipairs({user, p.version, p.since}) do table.insert(moved, v) end
      local id = string.format("presence-%.0f", p.version)
      redis.call("HSET", key("jobs"), id, cmsgpack.pack({id = id, kind = "presence", inbox = "",
        data = {user = user, version = p.version, since_ms = p.since}}))
      redis.call("ZADD", key("due"), px.now + lease_ms, id)
    end
  end
  if #moved == 0 then return moved end
  redis.call("SET", key("pv"), string.format("%.0f", px.version))
  redis.call("SPUBLISH", key("ev"), "P" .. cmsgpack.pack({px.was, px.version, moved}))
  return moved
end

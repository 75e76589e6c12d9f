--- @include "lib/row"
--- @include "lib/kept"
-- What leaves the engine for the archive, and the proofs that it is what was read.

-- Lines that are here, from the oldest: `count` of them, and why those failed that did.
local function oldest(c, count)
  if count <= 0 then return {}, {} end
  local items = {}
  for i = 1, count do items[i] = c.id .. ":" .. (c.trimmed + i) end
  return redis.call("LRANGE", key("m", c.id), 0, count - 1),
    redis.call("HMGET", key("why"), unpack(items)), items
end

-- Of everything in them: delivery states change, and a failover may have put others in their places.
local function digest_of(lines, reasons)
  local told = {}
  for i = 1, #lines do told[i] = reasons[i] or "" end
  return redis.sha1hex(table.concat(lines) .. "|" .. table.concat(told, "|"))
end

-- Done, every line archived, nothing on its way, nobody wants it held.
local function may_leave(c)
  return c.status == "done" and c.trimmed == c.n
    and redis.call("HEXISTS", key("hold"), c.id) == 0
    and redis.call("EXISTS", key("out", c.id)) == 0
end

-- Of all fields, those that are never shown too (store/inbox_archive.py computes the same).
local function row_digest(flat)
  local told = {}
  for i = 1, #flat, 2 do table.insert(told, flat[i] .. "=" .. flat[i + 1]) end
  table.sort(told)
  return redis.sha1hex(table.concat(told, "\n"))
end

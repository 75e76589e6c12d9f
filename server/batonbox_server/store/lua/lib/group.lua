--- @include "lib/log"
-- How copies of a bot share an inbox. Per partition of its conversations: who holds it, since which
-- generation, how far it is handled, and whether it is asked back; `over` are entries further on that
-- are handled too (partition and seq, one after the other). It stands in the log's slot: a
-- failover that loses the end of the log loses with it what was said of that. What nobody has touched
-- for twelve hours is forgotten: replies are remembered for twenty-four, so that none is given twice.
local PARTITIONS, COPIES_MOST, OVER_MOST, FORGOTTEN_MS = 64, 64, 2048, 43200000

local function filled(value)
  local t = {}
  for i = 1, PARTITIONS do t[i] = value end
  return t
end

-- The tip behind entry `seq`; nil where there is none, or none any more.
local function tip_after(cx, seq)
  if seq == cx.seq then return cx.tip end
  local id = (seq + 1) .. "-0"
  local entry = seq < cx.seq and redis.call("XRANGE", key("log"), id, id)[1]
  return entry and entry[2][4]
end

local function group_of(cx, user, name)
  local raw = redis.call("HGET", key("gr", user), name)
  local g = raw and cmsgpack.unpack(raw)
  if g and cx.now - g.at <= FORGOTTEN_MS then return g, true end
  return {epoch = cx.epoch, gen = 1, at = cx.now, copies = {}, handled = filled(cx.seq),
    holder = filled(""), since = filled(1), asked = filled(0), over = {},
    lost = "", lost_gen = 0}, false
end

-- What the log no longer has, or never had, nobody will handle: the group goes on at its end. Whoever
-- holds such a partition has to be told before they may say more of it.
local function compare(cx, g)
  local first = redis.call("XRANGE", key("log"), "-", "+", "COUNT", 1)[1]
  local oldest = first and tonumber(string.match(first[1], "^%d+")) or cx.seq
  local other, gen = g.epoch ~= cx.epoch, g.gen + 1
  for i = 1, PARTITIONS do
    -- Whoever goes on from a position needs the entry at it, which shows the tip.
    if other or (g.handled[i] < oldest and g.handled[i] ~= cx.seq) then
      g.handled[i], g.since[i], g.gen = cx.seq, gen, gen
      g.lost, g.lost_gen = other and "epoch" or "trimmed", gen
    end
  end
  if other then g.epoch, g.over = cx.epoch, {} end
end

-- What the copy says it has handled counts where it holds the partition since the generation that it
-- knows of, and where it read the log as it is.
local function believe(cx, g, copy, said)
  if tip_after(cx, said.at) ~= said.tip then return end
  local gives, believed, over, known = {}, {}, {}, {}
  for _, p in ipairs(said.gives) do gives[p] = true end
  for _, held in ipairs(said.holds) do
    local i, since, seq = held[1] + 1, held[2], held[3]
    if g.holder[i] == copy and g.since[i] == since and seq <= said.at then
      g.handled[i] = math.max(g.handled[i], seq)
      believed[held[1]] = true
      if gives[held[1]] then g.holder[i] = "" end
    end
  end
  local function keep(p, seq)
    if seq <= g.handled[p + 1] or known[seq] or #over >= OVER_MOST then return end
    known[seq] = true
    over[#over + 1], over[#over + 2] = p, seq
  end
  for n = 1, #g.over, 2 do keep(g.over[n], g.over[n + 1]) end
  for _, one in ipairs(said.done) do
    if believed[one[1]] and one[2] <= said.at then keep(one[1], one[2]) end
  end
  g.over = over
end

-- The copies whose lease runs, this one among them unless it leaves; nil when there are too many.
local function attend(cx, g, copy, lease_ms, leaving)
  local there, known = {}, false
  for _, c in ipairs(g.copies) do
    if c[1] == copy then
      known = true
      c[2] = leaving and 0 or cx.now + lease_ms
    end
    if c[2] > cx.now then table.insert(there, c) end
  end
  if not known and not leaving then
    if #there >= COPIES_MOST then return nil end
    table.insert(there, {copy, cx.now + lease_ms})
  end
  g.copies = there
  return there
end

-- Deal the partitions out evenly and move as few as that takes: what is too much is asked back, and
-- goes to another when it has been given; what is nobody's goes at once.
local function deal(g)
  local held, order, free = {}, {}, {}
  for n, c in ipairs(g.copies) do
    held[c[1]] = {}
    order[n] = {id = c[1], n = n}
  end
  for i = 1, PARTITIONS do
    local mine = held[g.holder[i]]
    if mine then table.insert(mine, i) else table.insert(free, i) end
  end
  if #order == 0 then g.holder, g.asked = filled(""), filled(0) return end
  table.sort(order, function(a, b)
    local x, y = #held[a.id], #held[b.id]
    return x > y or (x == y and a.n < b.n)
  end)
  local base, gen = math.floor(PARTITIONS / #order), g.gen + 1
  for n, c in ipairs(order) do
    local mine = held[c.id]
    local quota = base + (n <= PARTITIONS % #order and 1 or 0)
    while #mine < quota and #free > 0 do
      local i = table.remove(free)
      g.holder[i], g.since[i], g.asked[i], g.gen = c.id, gen, 0, gen
      table.insert(mine, i)
    end
    local over = #mine - quota
    for _, i in ipairs(mine) do
      if g.asked[i] == 1 and over > 0 then over = over - 1 else g.asked[i] = 0 end
    end
    for at = #mine, 1, -1 do
      if over > 0 and g.asked[mine[at]] == 0 then g.asked[mine[at]], over = 1, over - 1 end
    end
  end
end

#!lua
-- Copies of a conversation that the server's scripts have made: row, thread, indexes, and the
-- carrier's id by which its message is known. Only what names it differs: id, customer, last change.
--
-- KEYS[1] inbox prefix
-- derives meta log ev c m cx p un wq op done unm gm as ow ar
-- ARGV[1] conv
-- ARGV[2] first
-- ARGV[3] ids
-- Returns {"ok"}
--- @include "lib/row"
local of, first, ids = ARGV[1], tonumber(ARGV[2]), cmsgpack.unpack(ARGV[3])
local cx, c = open(), read_row(of)
local row, lines = redis.call("HGETALL", key("c", of)), redis.call("LRANGE", key("m", of), 0, -1)
local user, at = c.assignee, {}
for i = 1, #row, 2 do at[row[i]] = i + 1 end
local indexes = {}
for _, index in ipairs({key("op"), key("un"), key("wq"), key("done"), key("ar"), key("ow"),
  key("as", user), key("ow", user)}) do
  local score = redis.call("ZSCORE", index, of)
  if score then table.insert(indexes, {index, tonumber(score)}) end
end
local waits = redis.call("SISMEMBER", key("unm"), of .. ":" .. c.att) == 1
local green = redis.call("SISMEMBER", key("gm", user), of) == 1
for i, id in ipairs(ids) do
  local customer, now = string.format("+1905%07d", first + i - 1), tick(cx)
  row[at.id], row[at.customer], row[at.last_ms] = id, customer, now
  redis.call("HSET", key("c", id), unpack(row))
  redis.call("RPUSH", key("m", id), unpack(lines))
  for _, index in ipairs(indexes) do
    redis.call("ZADD", index[1], index[2] == c.last_ms and now or index[2], id)
  end
  if waits then redis.call("SADD", key("unm"), id .. ":" .. c.att) end
  if green then redis.call("SADD", key("gm", user), id) end
  redis.call("HSET", key("cx"), c.our .. "|" .. customer, id)
  redis.call("SET", key("p", "fill-" .. (first + i - 1)), cmsgpack.pack({id, 1, c.rev}), "PX",
    604800000)
end
redis.call("HSET", key("meta"), "last_ms", cx.last_ms)
return {"ok"}

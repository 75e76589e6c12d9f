--- @include "lib/row"
--- @include "lib/owned"
-- Inboxes of schema 1 have no indexes of what owners owe. Their open rows are put in by and by, in
-- the order of their last change: what changes meanwhile comes again. nil: all are in; 1: go on.
local function index_owed(n)
  local at = redis.call("HMGET", key("meta"), "schema", "indexed")
  if at[1] ~= "1" then return nil end
  local found = redis.call("ZRANGEBYSCORE", key("op"), "(" .. (at[2] or 0), "+inf", "WITHSCORES",
    "LIMIT", 0, n)
  for i = 1, #found, 2 do reindex_owned(nil, read_row(found[i])) end
  if #found == 2 * n then
    redis.call("HSET", key("meta"), "indexed", found[#found])
    return 1
  end
  redis.call("HSET", key("meta"), "schema", 2)
  redis.call("HDEL", key("meta"), "indexed")
  return 0
end

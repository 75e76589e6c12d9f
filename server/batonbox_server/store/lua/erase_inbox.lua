#!lua
-- Delete an inbox: everybody's access goes in the first step, its data in bounded batches. Not while
-- anything in it is held.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem num c m cx un wq op done unm out try why oo due as su gm mv ghosts hk held ow gone sno av off au ar hold gr
-- Returns {"ok", left} | {"held"} | {"not_found"}
--- @include "lib/log"
local BATCH = 200
local cx = open()
if cx and redis.call("EXISTS", key("hold")) == 1 then return {"held"} end
if cx then
  local users = redis.call("HKEYS", key("mem"))
  tick(cx)
  emit(cx, {type = "inbox_deleted", actor = ""})
  commit_log(cx)
  if #users > 0 then redis.call("SADD", key("ghosts"), unpack(users)) end
  redis.call("DEL", key("mem"), key("num"))
  redis.call("HSET", key("meta"), "deleted", 1)
end
if redis.call("EXISTS", key("meta")) == 0 then return {"not_found"} end
for _, index in ipairs({key("op"), key("done")}) do
  for _, conv in ipairs(redis.call("ZRANGE", index, 0, BATCH - 1)) do
    redis.call("SADD", key("ghosts"), redis.call("HGET", key("c", conv), "assignee") or "")
    redis.call("DEL", key("c", conv), key("m", conv), key("out", conv))
    redis.call("ZREM", index, conv)
  end
end
local left = redis.call("ZCARD", key("op")) + redis.call("ZCARD", key("done"))
if left > 0 then return {"ok", left} end
for _, user in ipairs(redis.call("SMEMBERS", key("ghosts"))) do
  redis.call("DEL", key("as", user), key("ow", user), key("su", user), key("gm", user),
    key("gr", user))
end
redis.call("DEL", key("cx"), key("un"), key("wq"), key("unm"), key("out"), key("try"), key("due"), key("mv"))
redis.call("DEL", key("oo"), key("why"), key("ar"))
redis.call("DEL", key("ow"), key("gone"), key("sno"), key("av"), key("off"))
redis.call("DEL", key("hk"), key("held"), key("ghosts"), key("au"), key("log"), key("meta"))
return {"ok", 0}

--- @include "lib/log"
-- A change of one contact: {id, was, numbers, gone, names, add, drop, name, old_name, record?}, planned
-- in store/contact_plan.py. `cx.held` is who has a number, `cx.left` how many more there may be.

local function verdict(cx, item)
  if item.now ~= item.was then return "stale" end
  if item.record and item.was == "" and cx.left <= 0 then return "full" end
  for _, number in ipairs(item.numbers) do
    local holder = cx.held[number]
    if holder and holder ~= item.id then return "taken", holder end
  end
  return "ok"
end

local function plan_contact(cx, item)
  for _, number in ipairs(item.gone) do cx.held[number] = false end
  for _, number in ipairs(item.numbers) do cx.held[number] = item.id end
  local r, meta = item.record, {type = "contact_deleted", id = item.id, numbers = item.names}
  if not r then
    cx.left = cx.left + 1
    emit(cx, meta)
    return
  end
  if item.was == "" then
    cx.left, r.created_ms = cx.left - 1, cx.last_ms
  end
  meta.type, r.id, r.numbers = "contact_changed", item.id, item.numbers
  r.changed_ms, r.rev = cx.last_ms, cx.seq + 1
  item.packed = cmsgpack.pack(r)
  emit(cx, meta, item.packed)
end

-- "<words>\0<id>": in the order of the words, and of the ids where those are equal.
local function member_of(words, id)
  return words .. "\0" .. id
end

local function write_contact(item)
  for _, number in ipairs(item.gone) do redis.call("HDEL", key("num"), number) end
  for _, number in ipairs(item.numbers) do redis.call("HSET", key("num"), number, item.id) end
  for _, words in ipairs(item.drop) do
    redis.call("ZREM", key("find"), member_of(words, item.id))
  end
  for _, words in ipairs(item.add) do
    redis.call("ZADD", key("find"), 0, member_of(words, item.id))
  end
  if item.was ~= "" then redis.call("ZREM", key("by"), member_of(item.old_name, item.id)) end
  if item.packed then
    redis.call("ZADD", key("by"), 0, member_of(item.name, item.id))
    redis.call("HSET", key("rec"), item.id, item.packed)
  else
    redis.call("HDEL", key("rec"), item.id)
  end
end

#!lua
-- Write planned contacts, each if it still is what its plan saw and its numbers are nobody else's;
-- with `whole` all of them or none. An item without a record is a deletion.
--
-- KEYS[1] contacts prefix
-- derives meta log ev i au rec num by find
-- ARGV[1] by
-- ARGV[2] items
-- ARGV[3] whole
-- ARGV[4] most
-- Returns {"ok", outcomes} | {"refused", outcomes} | {"not_found"} | {"idempotency_mismatch"}
--- @include "lib/log"
--- @include "lib/reply"
--- @include "lib/audit"
--- @include "lib/contact"
local by, items = cmsgpack.unpack(ARGV[1]), cmsgpack.unpack(ARGV[2])
local whole, most = ARGV[3] == "1", tonumber(ARGV[4])
local cx = open()
if not cx then return {"not_found"} end
by.keep_ms = ACTION_MS
local stored = by.cid ~= "" and replayed(by)
if stored then return stored end
cx.by, cx.left, cx.held = by, most - redis.call("HLEN", key("rec")), {}
for _, item in ipairs(items) do
  item.now = redis.call("HGET", key("rec"), item.id) or ""
  for _, number in ipairs(item.numbers) do
    cx.held[number] = redis.call("HGET", key("num"), number)
  end
end
tick(cx)
local outcomes, planned = {}, {}
for i, item in ipairs(items) do
  local word, other = verdict(cx, item)
  outcomes[i] = {word, other or item.id, cx.seq + 1, cx.last_ms}
  if word == "ok" then
    plan_contact(cx, item)
    table.insert(planned, item)
  end
end
if whole and #planned < #items then return {"refused", outcomes} end
local reply = {"ok", outcomes}
if #planned == 0 then return reply end
for _, item in ipairs(planned) do write_contact(item) end
audit_acts(cx, by)
commit_audit(cx)
commit_log(cx)
if by.cid ~= "" then keep_reply(by, reply) end
return reply

#!lua
-- Many messages of one customer at once, as `receive` appends each of them, except for the ids by
-- which carriers' messages are told apart.
--
-- KEYS[1] inbox prefix
-- derives meta log ev mem c m cx gm su as un wq op done unm out oo av off ow gone sno i au ar
-- ARGV[1] candidate
-- ARGV[2] our
-- ARGV[3] customer
-- ARGV[4] bodies
-- ARGV[5] preview
-- Returns {"ok"}
--- @include "lib/command"
local candidate, our, customer, bodies, preview = unpack(ARGV)
local cx = plan(open())
local c = fresh(candidate, our, customer)
for i, body in ipairs(cmsgpack.unpack(bodies)) do
  local was, at = before(cx, c), tick(cx)
  reopen(cx, c, candidate .. i)
  if c.unanswered == 0 then c.waiting_since = at end
  c.att = mark(cx, "in" .. i .. body)
  c.in_seq, c.unanswered, c.unseen, c.preview = c.att, c.unanswered + 1, false, preview
  record(cx, "received", c, was, "", "", {body = body})
end
commit(cx)
redis.call("HSET", key("cx"), our .. "|" .. customer, c.id)
return {"ok"}

#!lua
-- Give a channel another name ("" leaves it), close it to posts ("1") or open it again ("0").
--
-- KEYS[1] room prefix
-- derives meta log ev mem c m i mv rd at ar
-- ARGV[1] by
-- ARGV[2] admin
-- ARGV[3] name
-- ARGV[4] archived
-- Returns {"ok"} | {"not_found"} | {"forbidden"} | {"direct"} | {"idempotency_mismatch"}
--- @include "lib/room"
local by, admin, name, archived = unpack(ARGV)
local cx, c = enter(by, ACTION_MS)
if not cx then return c end
if not c then return {"not_found"} end
if c.kind == "direct" then return {"direct"} end
if admin ~= "1" then return {"forbidden"} end
local same = name == "" or name == c.name
if archived ~= "" then same = (archived == "1") == (c.archived > 0) end
if same then return leave(cx, c) end
local at, said = tick(cx), {}
if name ~= "" then
  c.name, said.name = name, name
else
  c.archived = archived == "1" and at or 0
  said.archived = archived == "1"
end
record(cx, c, "room_changed", {body = cmsgpack.pack(said)})
return leave(cx, c)

#!lua
-- Learn what customers said about being written to from a number, before they said it here; what is
-- known to be later stays.
--
-- KEYS[1] inbox prefix
-- derives meta log ev oo
-- ARGV[1] our
-- ARGV[2] said
-- Returns {"ok"} | {"not_found"}
--- @include "lib/log"
--- @include "lib/optout"
local our, said = ARGV[1], cmsgpack.unpack(ARGV[2])
if not open() then return {"not_found"} end
for i = 1, #said, 2 do
  local at = tonumber(said[i + 1])
  if math.abs(at) > math.abs(last_word(our, said[i])) then
    redis.call("HSET", key("oo"), our .. "|" .. said[i], at)
  end
end
return {"ok"}

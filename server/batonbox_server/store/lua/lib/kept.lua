--- @include "lib/keys"
-- How much of its threads the engine holds. `ar` has conversations by the number of their lines that
-- are here, from LEAST on and in steps, so that an append seldom writes to it: the fullest are the
-- first that the archive takes lines of.
local LEAST, STEP = 12, 4

local function fullness(held)
  return held >= LEAST and held - held % STEP or 0
end

-- `was` and `held`: how many lines were and are here.
local function index_held(conv, was, held)
  if held < LEAST and was < LEAST then return end
  local now = fullness(held)
  if now == fullness(was) then return end
  if now > 0 then
    redis.call("ZADD", key("ar"), now, conv)
  else
    redis.call("ZREM", key("ar"), conv)
  end
end

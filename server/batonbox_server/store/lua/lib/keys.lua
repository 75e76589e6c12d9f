-- Spells the keys of one log's slot; `store/keys.py` is the twin that spells the prefixes.
local PREFIX = KEYS[1]
local ID = string.match(PREFIX, "{ib:(.-)}$") or string.match(PREFIX, "{(.-)}$")

local function key(name, rest)
  if rest then return PREFIX .. ":" .. name .. ":" .. rest end
  return PREFIX .. ":" .. name
end

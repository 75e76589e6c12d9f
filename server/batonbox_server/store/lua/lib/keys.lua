-- Spells the keys of one log's slot; `store/keys.py` is the twin that spells the prefixes. What stands
-- outside functions outlives a call: it is set for each by `use`, or never changes.
local PREFIX, SLOT, ID, ROOM, call

local function use(prefix)
  if prefix == PREFIX then return end
  PREFIX, SLOT, call = prefix, prefix .. ":", redis.call
  ID = string.match(prefix, "{ib:(.-)}$") or string.match(prefix, "{(.-)}$")
  ROOM = string.sub(ID, 1, 1) == "~"
end

local function key(name, rest)
  if rest then return SLOT .. name .. ":" .. rest end
  return SLOT .. name
end

--- @include "lib/keys"
-- Opting out: `oo` holds "our|customer" -> the time of the customer's last word about it, negative
-- for one that lifted the block. The later word counts, in whatever order they come here; times are
-- given out where the number is (number_word.lua), so every inbox ends with the same.

local function last_word(our, customer)
  return tonumber(redis.call("HGET", key("oo"), our .. "|" .. customer) or 0)
end

local function blocked_since(our, customer)
  local at = redis.call("HGET", key("oo"), our .. "|" .. customer)
  return at and math.max(0, tonumber(at)) or 0
end

-- What a word means to this conversation: `mute`, the reason why it is appended and no more; `at`,
-- what to keep; `answer`, the body to answer with. STOP is confirmed once, START while there is a
-- block, HELP always: it is an ordinary message that is answered. `packed` is {word, at, answer}.
local function heard(c, packed)
  if packed == "" then return {} end
  local word, at, answer = unpack(cmsgpack.unpack(packed))
  if answer == "" then answer = nil end
  if word == "help" then return {answer = answer} end
  local last = last_word(c.our, c.customer)
  local newer, out = at > math.abs(last), last > 0
  -- The very word may be known before its message is here (take_words.lua).
  if word == "stop" and at == last then newer, out = true, false end
  local said = {at = newer and (word == "stop" and at or -at) or nil}
  if newer then c.blocked = math.max(0, said.at) end
  if word == "stop" then said.mute = "opt_out" elseif out then said.mute = "opt_in" end
  if newer and out == (word == "start") then said.answer = answer end
  return said
end

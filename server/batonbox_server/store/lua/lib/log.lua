--- @include "lib/keys"
-- A log: contiguous seqs, each tip the hash of the whole prefix. Scripts plan events in memory and
-- write them last: Redis never rolls back, so every read comes before the first write.

local function open()
  local m = redis.call("HMGET", key("meta"), "epoch", "seq", "tip", "last_ms", "keep", "deleted")
  if not m[1] or m[6] then return nil end
  local t = redis.call("TIME")
  return {
    epoch = m[1], seq = m[2] + 0, tip = m[3], last_ms = m[4] + 0, keep = m[5],
    now = t[1] * 1000 + math.floor(t[2] / 1000), entries = {}, stand = {},
    -- Room for what is planned: a table that grows costs more.
    by = nil, acts = nil, was = nil, rows = nil, saw = nil, out = nil, members = nil, cleared = nil,
  }
end

-- The log's clock, on which timers are judged: the time that the next event would have. It is unique
-- and rising within the log, so that it can order and page its rows; in a burst it runs ahead.
local function clock(cx)
  return math.max(cx.now, cx.last_ms + 1)
end

local function tick(cx)
  cx.last_ms = clock(cx)
  return cx.last_ms
end

-- A mark "<seq>.<8 hex>" for the next event; the hash keeps the same seq of two lineages apart.
local function mark(cx, salt)
  return (cx.seq + 1) .. "." .. string.sub(redis.sha1hex(cx.tip .. salt), 1, 8)
end

-- Plan one event: the frame [20, id, seq, meta, body, tip] is final wire bytes.
local function emit(cx, meta, body)
  local seq = cx.seq + 1
  local packed = cmsgpack.pack(ID, seq, meta)
  body = body or "\192"
  local tip = string.sub(redis.sha1hex(cx.tip .. "\150\20" .. packed .. body), 1, 16)
  local frame = "\150\20" .. packed .. body .. "\176" .. tip
  cx.entries[#cx.entries + 1] = {seq = seq, prev = cx.tip, frame = frame}
  cx.seq, cx.tip = seq, tip
  return seq
end

-- Write the planned events: log, end of log, one message on the channel.
local function commit_log(cx)
  if #cx.entries == 0 then return end
  local log, told = key("log"), "E"
  for _, e in ipairs(cx.entries) do
    redis.call("XADD", log, "MAXLEN", "~", cx.keep, e.seq .. "-0", "f", e.frame, "p", e.prev,
      "t", cx.now)
    told = told .. e.prev .. struct.pack(">I4", #e.frame) .. e.frame
  end
  redis.call("HSET", key("meta"), "seq", cx.seq, "tip", cx.tip, "last_ms", cx.last_ms)
  redis.call("SPUBLISH", key("ev"), told)
  cx.entries = {}
end

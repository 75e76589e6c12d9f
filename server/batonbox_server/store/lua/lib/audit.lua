--- @include "lib/keys"
-- The audit log: written in the step that does what it tells about, so that neither is there without
-- the other. `by` is whoever acts ({origin, keep}), nil for what is nobody's doing. An entry is the
-- origin's bytes and a packed {action, actor, conv, target, before, after, detail}, "" for none.

local function audit(cx, by, action, actor, e)
  cx.acts = cx.acts or {}
  local fields = cmsgpack.pack(action, actor, e.conv or "", e.target or "", e.before or "",
    e.after or "", e.detail or "")
  table.insert(cx.acts, {by and by.origin or "", "\151" .. fields})
end

-- Entries that the caller packed, since they know what changes.
local function audit_acts(cx, by)
  for _, packed in ipairs(by.acts or {}) do
    cx.acts = cx.acts or {}
    table.insert(cx.acts, {by.origin, packed})
  end
end

local function commit_audit(cx)
  for _, act in ipairs(cx.acts or {}) do
    if cx.by then
      redis.call("XADD", key("au"), "MAXLEN", "~", cx.by.keep, "*", "o", act[1], "e", act[2])
    else
      redis.call("XADD", key("au"), "*", "o", act[1], "e", act[2])
    end
  end
end

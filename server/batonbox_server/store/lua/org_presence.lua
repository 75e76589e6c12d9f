#!lua
-- Everybody who was ever connected, or missed: by person "<nodes>:<version>:<since_ms>".
--
-- KEYS[1] organisation prefix
-- derives pv pu
-- writes nothing
-- Returns {"ok", version, people}
--- @include "lib/keys"
return {"ok", redis.call("GET", key("pv")) or "0", redis.call("HGETALL", key("pu"))}

"""Reading the audit streams that the scripts write (lua/lib/audit.lua)."""

from __future__ import annotations

from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import inbox_of
from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.origin import acting
from batonbox_server.store.audit_plan import packed_act
from batonbox_server.store.audit_port import CONTACTS, ORGANISATION, AuditEntry, Place
from batonbox_server.store.by import AUDIT_ENTRIES, pack_origin
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys

__all__ = ["RedisAudit"]

_SYSTEM: Final = ("system", "", "")
# Acts of the organisation about one inbox.
_OF_INBOX: Final = frozenset({"inbox_created", "inbox_changed", "inbox_deleted", "members_changed"})


class RedisAudit:
    """Implements `store.audit_port.AuditStore`."""

    def __init__(self, client: Engine, *, keys: Keys, audit_entries: int = AUDIT_ENTRIES) -> None:
        self._client = client
        self._keys = keys
        self._audit_entries = audit_entries

    async def older(
        self, stream: str, *, than: Place | None, since_ms: int, until_ms: int, n: int
    ) -> list[AuditEntry]:
        """See the port."""
        end, start = _below(stream, than, until_ms), f"{since_ms}-0" if since_ms else "-"
        raw = await self._execute("XREVRANGE", self._key(stream), end, start, "COUNT", n)
        return [_entry(stream, item) for item in raw]

    async def write(
        self, *, action: str, target: str, detail: dict[str, Any], conv: str = ""
    ) -> None:
        """See the port."""
        actor, origin, _ = acting.get()
        entry = packed_act(action=action, actor=actor, target=target, detail=detail, conv=conv)
        kept = ("MAXLEN", "~", self._audit_entries)
        fields = ("o", pack_origin(origin), "e", entry)
        stream = inbox_of(conv) if conv else ORGANISATION
        await self._execute("XADD", self._key(stream), *kept, "*", *fields)

    def _key(self, stream: str) -> str:
        prefixes = {ORGANISATION: self._keys.org, CONTACTS: self._keys.contacts}
        return f"{prefixes.get(stream) or self._keys.inbox(stream)}:au"

    async def _execute(self, *args: str | bytes | int) -> Any:
        try:
            return await self._client.execute(*args)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error


def _below(stream: str, than: Place | None, until_ms: int) -> str:
    """The newest id of this stream that comes after the place, as XREVRANGE takes it."""
    end = f"({until_ms}-0" if until_ms else "+"
    if than is None or (until_ms and than.at_ms >= until_ms):
        return end
    # Of entries with equal ids those of later streams come after it.
    return f"{'' if stream > than.stream else '('}{than.at_ms}-{than.n}"


def _entry(stream: str, item: Any) -> AuditEntry:
    name, fields = item
    at_ms, _, n = name.partition(b"-")
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    via, address, token = msgpack.unpackb(values[b"o"]) if values[b"o"] else _SYSTEM
    action, actor, conv, target, before, after, detail = msgpack.unpackb(values[b"e"])
    about = "" if stream == CONTACTS else stream
    if stream == ORGANISATION and action in _OF_INBOX:
        about = target
    return AuditEntry(
        place=Place(int(at_ms), int(n), stream),
        actor=actor,
        via=via,
        address=address,
        token=token,
        action=action,
        inbox=about,
        conv=conv,
        target=target,
        before=before or {},
        after=after or {},
        detail=detail or {},
    )

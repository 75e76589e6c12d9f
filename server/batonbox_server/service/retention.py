"""How long messages are kept, and what is kept whatever its age: what admins say of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from batonbox_server.domain.model import is_room
from batonbox_server.errors import Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.archive_port import ArchiveStatus, OwnArchive
from batonbox_server.store.archiving_port import ArchivingStore, Hold
from batonbox_server.store.audit_port import AuditStore
from batonbox_server.store.retention_port import DAYS_MOST, RetentionStore, Rules

__all__ = ["Retention"]

_REASON_CHARS = 500
_AT_ONCE = 16


class Retention:
    """The rules and the holds; erasing is `service.purging`'s. `logs()` gives inboxes and rooms."""

    def __init__(
        self,
        rules: RetentionStore,
        store: ArchivingStore,
        archive: OwnArchive,
        audit: AuditStore,
        logs: Callable[[], AsyncIterator[str]],
    ) -> None:
        self._rules = rules
        self._store = store
        self._archive = archive
        self._audit = audit
        self._logs = logs

    async def archive(self) -> ArchiveStatus | None:
        """How much is in the archive; None where there is none, or it cannot be asked now."""
        try:
            return await self._archive.status() if self._archive.there else None
        except Refused:
            return None

    async def rules(self) -> Rules:
        """As they stand."""
        return await self._rules.rules()

    async def set_rules(self, rules: Rules) -> Rules:
        """They count from the next look of the archive's worker on; Refused("bad_request")."""
        for name in ("external_days", "internal_days"):
            if not 0 <= getattr(rules, name) <= DAYS_MOST:
                raise Refused("bad_request", f"{name}: 0 (for ever) to {DAYS_MOST} days.")
        if not self._archive.there and rules != Rules():
            raise Refused(
                "bad_request",
                "This server has no archive, through which messages are erased:"
                " set BATONBOX_ARCHIVE_URL.",
            )
        await self._rules.set_rules(rules)
        return rules

    async def hold(
        self, principal: Principal, *, conv: str, cid: str, on: bool, reason: str
    ) -> Hold | None:
        """Keep a conversation or room whatever its age, or no longer; what holds it now.

        Refused: `bad_request` without a reason, `not_found`.
        """
        reason = reason.strip()
        if on and not 0 < len(reason) <= _REASON_CHARS:
            raise Refused("bad_request", f"reason: 1 to {_REASON_CHARS} characters.")
        if is_room(conv):
            await self._tell_of_room(conv, on=on, reason=reason)
        return await self._store.hold(
            conv=conv, actor=principal.user, cid=cid, on=on, reason=reason
        )

    async def _tell_of_room(self, room: str, *, on: bool, reason: str) -> None:
        """A room's slot has no audit log: the organisation's is written before anything changes.

        Whatever dies in between leaves an entry too many, never a hold that nobody is told of.
        """
        await self._store.lines_out(conv=room, keep=0, n=1)  # refused where there is no such room
        if on != bool(await self._store.holds(log=room)):
            action, detail = ("hold", {"reason": reason}) if on else ("release_hold", {})
            await self._audit.write(action=action, target=room, detail=detail)

    async def holds(self) -> list[Hold]:
        """Everything that is held, the oldest first."""
        found: list[Hold] = []
        free = asyncio.Semaphore(_AT_ONCE)

        async def look(log: str) -> None:
            async with free:
                found.extend(await self._store.holds(log=log))

        await asyncio.gather(*[look(log) async for log in self._logs()])
        return sorted(found, key=lambda hold: (hold.since_ms, hold.conv))

"""Outbound messages: leased, handed to their carrier, recorded; retried with growing pauses."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any, Final

import structlog

from batonbox_server.carriers.port import Accepted
from batonbox_server.domain.model import Delivery, inbox_of
from batonbox_server.errors import BatonboxError, Refused
from batonbox_server.store.durable_port import Durability, Since
from batonbox_server.store.outbox_port import OutboxItem, OutboxStore, Postponed
from batonbox_server.tasks import cancel_all, spawn

from .directory import LiveDirectory
from .paced import alone, pause_of
from .sending import Later, Outcome, Sender

__all__ = ["Outbox", "pause_before_retry_ms"]

_log = structlog.get_logger(__name__)
_FIRST_PAUSE_MS: Final = 500
_LONGEST_PAUSE_MS: Final = 300_000
# A carrier that asks for a longer pause is tried again all the same.
_LONGEST_ASKED_MS: Final = 3_600_000
_PER_LEASE: Final = 16
# Before a message is looked at again whose lease could have been lost in a failover.
_UNSURE_MS: Final = 1000


class Outbox:
    """Sends what is due in any inbox; several nodes share the work by leases.

    Of one conversation one message is in flight at a time, whichever node has it, and the next
    leaves when it has ended, by the node that saw it end.  This holds as long as a send ends within
    half its lease, which is enforced.  A message leaves once its lease lasts (`Durability.own`): a
    failover that forgot it would let another node send it again.  `sharers()` nodes sweep, each so
    much more seldom; set by whoever puts the node together.
    """

    def __init__(
        self,
        store: OutboxStore,
        directory: LiveDirectory,
        sender: Sender,
        durability: Durability,
        *,
        lease_s: float,
        attempts: int,
        sweep_s: float,
        concurrency: int = 96,
    ) -> None:
        self._store = store
        self._directory = directory
        self._sender = sender
        self._durability = durability
        self._lease_s = lease_s
        self._attempts = attempts
        self._sweep_s = sweep_s
        self._concurrency = concurrency
        self.sharers: Callable[[], int] = alone
        self._poked: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sending: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to sweep."""
        spawn(self._tasks, self._run(), name="outbox")

    async def aclose(self, *, grace_s: float = 5.0) -> None:
        """Stop leasing, give what is in flight `grace_s` to end."""
        await cancel_all(self._tasks)
        if self._sending:
            await asyncio.wait(self._sending, timeout=grace_s)
        await cancel_all(self._sending)

    def poke(self, inbox: str) -> None:
        """Something was queued here: look now, not at the next sweep."""
        self._poked[inbox] = None
        self._wake.set()

    async def _run(self) -> None:
        due_s = 0.0
        while True:
            if time.monotonic() >= due_s:
                self._poked |= dict.fromkeys(self._directory.inboxes)
                due_s = time.monotonic() + pause_of(self._sweep_s, self.sharers())
            room = min(_PER_LEASE, self._concurrency - len(self._sending))
            if self._poked and room > 0:
                inbox = next(iter(self._poked))  # in turn: one that has more goes to the end
                del self._poked[inbox]
                await self._lease(inbox, room)
            else:
                await self._rest(due_s)

    async def _rest(self, due_s: float) -> None:
        try:
            async with asyncio.timeout(max(0.01, due_s - time.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _lease(self, inbox: str, room: int) -> None:
        until_s, since = time.monotonic() + self._lease_s / 2, self._durability.since()
        try:
            items = await self._store.lease_outbox(
                inbox=inbox, lease_ms=int(self._lease_s * 1000), n=room
            )
        except BatonboxError as error:
            _log.warning("outbox_lease_failed", inbox=inbox, error=str(error))
            return
        except Exception:  # whatever it was, the other inboxes still have to be swept
            _log.exception("outbox_lease_failed", inbox=inbox)
            return
        for item in items:
            name = f"send {item.conv}:{item.n}"
            sending = spawn(self._sending, self._deliver(item, until_s, since), name=name)
            sending.add_done_callback(lambda _: self._wake.set())  # there is room for another
        if len(items) == room:
            self.poke(inbox)

    async def _deliver(self, item: OutboxItem, until_s: float, since: Since) -> None:
        if not await self._lasts(item, since):
            return
        if time.monotonic() >= until_s:
            return  # this process stood still: the lease may be somebody else's by now
        outcome = await self._sender.send(item, until_s)
        try:
            await self._record(item, outcome)
        except BatonboxError as error:
            # The lease ends by itself, and the next attempt is told that this one had no end.
            _log.warning("outbox_record_failed", error=str(error))

    async def _lasts(self, item: OutboxItem, since: Since) -> bool:
        """Whether the lease does; else it is given back as if nothing had been tried."""
        own = self._durability.own
        try:
            await self._durability.confirm(own, since, logs=[inbox_of(item.conv)])
        except Refused as refused:
            _log.warning("outbox_lease_unsure", conv=item.conv, error=refused.message)
        else:
            return True
        try:
            await self._postpone(item, _UNSURE_MS, "free")
        except BatonboxError as error:  # it ends by itself
            _log.warning("outbox_lease_kept", conv=item.conv, error=str(error))
        return False

    async def _record(self, item: OutboxItem, outcome: Outcome) -> None:
        if isinstance(outcome, Accepted):
            await self._mark(item, Delivery.SENT, carrier_id=outcome.carrier_id)
            if outcome.delivered:
                await self._mark(item, Delivery.DELIVERED, carrier_id=outcome.carrier_id)
        elif isinstance(outcome, Later):
            await self._postpone(item, outcome.after_ms, "free")
        elif outcome.permanent or item.attempt >= self._attempts:
            await self._mark(
                item, Delivery.FAILED, reason=outcome.reason, unsettled=outcome.unsettled
            )
        else:
            pause_ms = pause_before_retry_ms(item.attempt, random.random())  # noqa: S311
            asked_ms = min(_LONGEST_ASKED_MS, int((outcome.retry_after_s or 0) * 1000))
            how: Postponed = "unsettled" if outcome.unsettled else ""
            await self._postpone(item, max(pause_ms, asked_ms), how)

    async def _postpone(self, item: OutboxItem, after_ms: int, how: Postponed) -> None:
        await self._store.postpone(
            conv=item.conv, n=item.n, turn=item.turn, after_ms=after_ms, how=how
        )

    async def _mark(
        self,
        item: OutboxItem,
        state: Delivery,
        *,
        carrier_id: str = "",
        reason: str = "",
        unsettled: bool = False,
    ) -> None:
        settled = await self._store.sent(
            conv=item.conv,
            n=item.n,
            state=state,
            carrier_id=carrier_id,
            reason=reason,
            unsettled=unsettled,
        )
        if settled.waiting:
            self.poke(inbox_of(item.conv))


def pause_before_retry_ms(attempt: int, chance: float) -> int:
    """Doubling from half a second to five minutes; `chance` (0..1) spreads it over its half."""
    longest = min(_LONGEST_PAUSE_MS, _FIRST_PAUSE_MS * 2 ** min(attempt - 1, 20))
    return int(longest * (0.5 + chance / 2))

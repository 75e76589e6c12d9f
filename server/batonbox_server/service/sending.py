"""One outbound message: by its number's carrier account, in that account's pace, once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from batonbox_server.carriers.port import Accepted, Carrier, Outbound, SendFailed
from batonbox_server.domain.model import inbox_of
from batonbox_server.errors import BatonboxError, Refused
from batonbox_server.store.directory_port import Route
from batonbox_server.store.outbox_port import OutboxItem, OutboxStore, PaceStore

from .answers import Carriers
from .directory import LiveDirectory
from .media import Media

__all__ = ["OPTED_OUT", "Later", "Outcome", "Sender"]

_log = structlog.get_logger(__name__)
OPTED_OUT: Final = "recipient_opted_out"
# How far ahead a message may take its place in an account's pace, and wait for it on a node.
_AHEAD_S: Final = 2.0
_CROWDED_MS: Final = 500


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing was sent: it is not its turn, or its account has too many under way."""

    after_ms: int


Outcome = Accepted | SendFailed | Later


class Sender:
    """`status_url(account, id)` is where receipts of a message shall come, "" for nowhere.

    Of one account at most `per_account` are under way at a time, which is less than there are in
    all: whoever does not answer holds up nobody else's.
    """

    def __init__(
        self,
        store: OutboxStore,
        directory: LiveDirectory,
        carriers: Carriers,
        media: Media,
        pace: PaceStore,
        *,
        status_url: Callable[[str, str], str],
        per_account: int = 64,
    ) -> None:
        self._store = store
        self._directory = directory
        self._carriers = carriers
        self._media = media
        self._pace = pace
        self._status_url = status_url
        self._per_account = per_account
        self._busy: Counter[str] = Counter()

    async def send(self, item: OutboxItem, until_s: float) -> Outcome:
        """Hand it to its carrier, which has to answer until then (monotonic seconds)."""
        if item.stopped:
            return SendFailed(OPTED_OUT, permanent=True)
        try:
            route = await self._route(item)
            if route is None:
                return SendFailed("number_not_routed", permanent=True)
            carrier = self._carriers.get(route.carrier)
            if carrier is None:
                told = f"no carrier {route.carrier!r} on this server"
                return SendFailed(told, permanent=False)
        except BatonboxError:
            return SendFailed("unavailable", permanent=False)
        if self._busy[route.carrier] >= self._per_account:
            # One that does not answer leaves places to the others.
            return Later(_CROWDED_MS)
        self._busy[route.carrier] += 1
        try:
            return await self._send_by(carrier, item, route.carrier, until_s)
        finally:
            self._busy[route.carrier] -= 1

    async def _send_by(
        self, carrier: Carrier, item: OutboxItem, account: str, until_s: float
    ) -> Outcome:
        try:
            later = await self._in_turn(item, carrier, until_s)
        except BatonboxError:
            return SendFailed("unavailable", permanent=False)
        if later is not None:
            return later
        return await _handed(carrier, self._message(item, account), until_s)

    async def _in_turn(self, item: OutboxItem, carrier: Carrier, until_s: float) -> Later | None:
        """Wait for its turn, or learn that it is too far away to wait for."""
        if carrier.rate_per_s <= 0:
            return None
        ahead_s = min(_AHEAD_S, (until_s - time.monotonic()) / 2)
        slot = await self._pace.take(
            account=carrier.name,
            rate_per_s=carrier.rate_per_s,
            most_ms=int(ahead_s * 1000),
            again=item.free > 0,
        )
        if not slot.taken:
            # A little early, so that it has a place when its turn comes, whenever it is swept up.
            return Later(slot.wait_ms - int(ahead_s * 500))
        await asyncio.sleep(slot.wait_ms / 1000)
        return None

    def _message(self, item: OutboxItem, account: str) -> Outbound:
        name = f"{item.conv}:{item.n}"
        return Outbound(
            name,
            item.our,
            item.customer,
            item.body["text"],
            self._media.links(item.body["media"]),
            status_url=self._status_url(account, name),
            unsettled=item.unsettled,
            queued_ms=item.queued_ms,
            taken=self._taken(item),
        )

    def _taken(self, item: OutboxItem) -> Callable[[str], Awaitable[bool]]:
        """Whether what the carrier has is another message; the number may have been elsewhere."""

        async def taken(carrier_id: str) -> bool:
            for inbox in list(self._directory.inboxes):
                place = await self._store.sent_as(inbox=inbox, carrier_id=carrier_id)
                if place is not None:
                    return place != (item.conv, item.n)
            return False

        return taken

    async def _route(self, item: OutboxItem) -> Route | None:
        """The number's record, if it is the inbox's or about to be."""
        inbox = inbox_of(item.conv)
        for ask in (False, True):
            if ask:
                await self._directory.refresh()  # the engine accepted it: this copy may be behind
            route = self._directory.routes.get(item.our)
            if route is not None and inbox in (route.delivers, route.taker):
                return route
        return None


async def _handed(carrier: Carrier, message: Outbound, until_s: float) -> Accepted | SendFailed:
    try:
        async with asyncio.timeout(until_s - time.monotonic()):
            return await carrier.send(message)
    except SendFailed as failed:
        return failed
    except TimeoutError:
        told = "the carrier did not answer in time"
        return SendFailed(told, permanent=False, unsettled=True)
    except Refused as refused:
        return SendFailed(refused.slug, permanent=False, unsettled=True)
    except Exception:  # a carrier's fault must neither lose the message nor keep it for ever
        _log.exception("carrier_failed", carrier=carrier.name)
        told = "the carrier failed; see the server's log"
        return SendFailed(told, permanent=False, unsettled=True)

"""The outbox of an inbox, as the engine keeps it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Delivery, inbox_of
from batonbox_server.store.archived import Archived
from batonbox_server.store.inbox_calls import ok
from batonbox_server.store.outbox_port import OutboxItem, Postponed, Settled

_STATE: Final = 6  # where a line has its delivery state
_RANK: Final = (Delivery.QUEUED, Delivery.SENT, Delivery.DELIVERED, Delivery.FAILED)


class InboxOutbox(Archived):
    """Implements `store.outbox_port.OutboxStore`."""

    async def lease_outbox(self, *, inbox: str, lease_ms: int, n: int = 16) -> list[OutboxItem]:
        """See the port."""
        reply = await self._scripts.lease_outbox(self._keys.inbox(inbox), lease_ms=lease_ms, n=n)
        items = reply[1] if reply[0] == b"ok" else []
        return [_item(*item) for item in items]

    async def sent(
        self,
        *,
        conv: str,
        n: int,
        state: Delivery,
        carrier_id: str = "",
        reason: str = "",
        unsettled: bool = False,
        receipt: bool = False,
    ) -> Settled:
        """See the port."""
        reply = await self._scripts.sent(
            self._keys.inbox(inbox_of(conv)),
            conv=conv,
            n=n,
            state=str(state),
            carrier_id=carrier_id,
            reason=reason,
            unsettled=int(unsettled),
            receipt=int(receipt),
        )
        if reply[0] == b"not_found" and await self._settled_away(conv, n, state, reason):
            return Settled(0, 0)
        return Settled(*ok(reply))

    async def _settled_away(self, conv: str, n: int, state: Delivery, reason: str) -> bool:
        """What a receipt says of a message that is in the archive; False: it is not there."""
        if self._archive is None:
            return False
        lines = await self._archive.lines(conv=conv, first=n, last=n)
        told = msgpack.unpackb(lines[0].packed) if lines else None
        if told is None or not told[_STATE]:
            return False
        if _moves(told[_STATE], state):
            told[_STATE:] = [str(state), told[_STATE + 1]]
            if state is Delivery.FAILED and reason:
                told.append(reason)
            at = max(lines[0].read_ms, await self.now_ms())
            line = replace(lines[0], packed=msgpack.packb(told), read_ms=at)
            await self._archive.put_lines(conv=conv, lines=[line])
        return True

    async def postpone(
        self, *, conv: str, n: int, turn: int, after_ms: int, how: Postponed = ""
    ) -> None:
        """See the port."""
        prefix = self._keys.inbox(inbox_of(conv))
        given = {"conv": conv, "n": n, "turn": turn, "after_ms": after_ms, "how": how}
        ok(await self._scripts.postpone(prefix, **given))

    async def sent_as(self, *, inbox: str, carrier_id: str) -> tuple[str, int] | None:
        """See the port."""
        reply = await self._scripts.receipt_place(self._keys.inbox(inbox), carrier_id=carrier_id)
        if reply[0] != b"ok":
            return None
        conv, _, n = reply[1].decode().rpartition(":")
        return conv, int(n)

    async def receipt(
        self, *, inbox: str, carrier_id: str, state: Delivery, reason: str
    ) -> Settled | None:
        """See the port."""
        place = await self.sent_as(inbox=inbox, carrier_id=carrier_id)
        if place is None:
            return None
        conv, n = place
        return await self.sent(
            conv=conv, n=n, state=state, carrier_id=carrier_id, reason=reason, receipt=True
        )


def _moves(now: str, state: Delivery) -> bool:
    """As `sent.lua` decides it: forward only, but a failed message may be delivered after all."""
    if now == Delivery.FAILED:
        return state is Delivery.DELIVERED
    forward = _RANK.index(state) > _RANK.index(Delivery(now))
    return forward and now != Delivery.DELIVERED


def _item(
    conv: bytes,
    n: int,
    our: bytes,
    customer: bytes,
    turn: int,
    attempt: int,
    free: int,
    unsettled: int,
    stopped: int,
    queued_ms: int,
    body: bytes,
) -> OutboxItem:
    return OutboxItem(
        conv.decode(),
        n,
        our.decode(),
        customer.decode(),
        attempt,
        msgpack.unpackb(body),
        turn=turn,
        free=free,
        unsettled=bool(unsettled),
        stopped=bool(stopped),
        queued_ms=queued_ms,
    )

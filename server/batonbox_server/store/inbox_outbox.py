"""The outbox of an inbox, as the engine keeps it."""

from __future__ import annotations

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Delivery, inbox_of
from batonbox_server.store.inbox_calls import InboxCalls, ok
from batonbox_server.store.outbox_port import OutboxItem, Postponed, Settled


class InboxOutbox(InboxCalls):
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
        return Settled(*ok(reply))

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

"""The outbox of an inbox, as the engine keeps it."""

from __future__ import annotations

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Delivery, inbox_of
from batonbox_server.store import port
from batonbox_server.store.inbox_calls import InboxCalls, ok


class InboxOutbox(InboxCalls):
    """What `store.port.InboxStore` says of outbound messages."""

    async def lease_outbox(
        self, *, inbox: str, lease_ms: int, n: int = 16
    ) -> list[port.OutboxItem]:
        """See the port."""
        reply = await self._scripts.lease_outbox(self._keys.inbox(inbox), lease_ms=lease_ms, n=n)
        items = reply[1] if reply[0] == b"ok" else []
        return [
            port.OutboxItem(
                conv.decode(),
                number,
                our.decode(),
                customer.decode(),
                attempt,
                seq,
                msgpack.unpackb(body),
            )
            for conv, number, our, customer, attempt, seq, body in items
        ]

    async def sent(
        self, *, conv: str, n: int, state: Delivery, carrier_id: str = "", reason: str = ""
    ) -> port.Settled:
        """See the port."""
        reply = await self._scripts.sent(
            self._keys.inbox(inbox_of(conv)),
            conv=conv,
            n=n,
            state=str(state),
            carrier_id=carrier_id,
            reason=reason,
        )
        return port.Settled(*ok(reply))

    async def postpone(self, *, conv: str, n: int, attempt: int, after_ms: int) -> None:
        """See the port."""
        prefix = self._keys.inbox(inbox_of(conv))
        given = {"conv": conv, "n": n, "attempt": attempt, "after_ms": after_ms}
        ok(await self._scripts.postpone(prefix, **given))

    async def receipt(
        self, *, inbox: str, carrier_id: str, state: Delivery, reason: str
    ) -> port.Settled | None:
        """See the port."""
        reply = await self._scripts.receipt_place(self._keys.inbox(inbox), carrier_id=carrier_id)
        if reply[0] != b"ok":
            return None
        conv, _, n = reply[1].decode().rpartition(":")
        return await self.sent(
            conv=conv, n=int(n), state=state, carrier_id=carrier_id, reason=reason
        )

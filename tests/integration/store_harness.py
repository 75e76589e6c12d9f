"""One inbox straight on the store, and what calls on it end in."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox_server.domain.model import Delivery, Role
from batonbox_server.errors import Refused
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.outbox_port import OutboxItem, Settled
from batonbox_server.store.port import Applied
from batonbox_server.store.redis import RedisStore

OUR, CUSTOMER = "+15550100", "+15550200"
BODY = bytes(msgpack.packb({"text": "hello"}))


class Box:
    """One inbox with ann and bob, and an admin who stands beside it."""

    def __init__(self, client: Engine, space: str) -> None:
        self.client, self.keys = client, Keys(space)
        self.store = RedisStore(client, keys=self.keys)
        self.log = self.keys.inbox("box")

    async def open(self) -> None:
        """Create it."""
        await self.store.create_inbox(inbox="box")
        await self.store.add_number(inbox="box", number=OUR)
        for user in ("ann", "bob"):
            await self.store.join(inbox="box", user=user, role=Role.MEMBER, joined=True)
        await self.store.join(inbox="box", user="adm", role=Role.ADMIN, joined=False)

    async def receive(self, customer: str = CUSTOMER, provider_id: str = "") -> str:
        """One message from the customer; returns the conversation."""
        received = await self.store.receive(
            inbox="box",
            our=OUR,
            customer=customer,
            provider_id=provider_id or uuid.uuid4().hex,
            body=BODY,
            preview="hello",
        )
        return received.conv

    async def assign(self, conv: str, actor: str = "ann") -> Applied:
        """Assign to `actor` under a fresh command id."""
        return await self.store.assign(conv=conv, actor=actor, cid=uuid.uuid4().hex)

    async def reply(self, customer: str = CUSTOMER) -> Applied:
        """Ann writes to the customer; the message is queued."""
        return await self.store.compose(
            inbox="box",
            actor="ann",
            cid=uuid.uuid4().hex,
            our=OUR,
            customer=customer,
            body=BODY,
            preview="hello",
        )

    async def lease(self, *, n: int = 16, lease_ms: int = 60_000) -> list[OutboxItem]:
        """What is due."""
        return await self.store.lease_outbox(inbox="box", lease_ms=lease_ms, n=n)

    async def ended(self, item: OutboxItem, state: Delivery = Delivery.SENT) -> Settled:
        """The carrier took it, or never will."""
        return await self.store.sent(conv=item.conv, n=item.n, state=state)

    async def again(self, item: OutboxItem, *, after_ms: int = 0) -> None:
        """The attempt failed and another shall be made."""
        await self.store.postpone(conv=item.conv, n=item.n, turn=item.turn, after_ms=after_ms)

    async def passes(self, ms: int) -> int:
        """Time goes by on the log's clock, by which timers are judged; returns its time."""
        meta = f"{self.log}:meta"
        seconds, micros = await self.client.execute("TIME")
        now = 1000 * int(seconds) + int(micros) // 1000
        ahead = max(now, int(await self.client.execute("HGET", meta, "last_ms"))) + ms
        await self.client.execute("HSET", meta, "last_ms", ahead)
        return ahead

    async def row(self, conv: str) -> dict[str, Any]:
        """As the store has it."""
        return (await self.store.history(conv=conv, actor="adm", n=1)).row

    async def kinds(self, conv: str) -> list[tuple[str, str, str]]:
        """(kind, actor, reason) of everything in the conversation."""
        thread = await self.store.history(conv=conv, actor="adm", n=200)
        return [(m[3], m[4], m[7].get("reason") or "") for m in thread.messages]

    async def seq(self) -> int:
        """The end of the log."""
        return (await self.store.head(log=self.log)).seq


async def refused(call: Awaitable[object]) -> Refused:
    """The refusal this call ends in."""
    with pytest.raises(Refused) as caught:
        await call
    return caught.value

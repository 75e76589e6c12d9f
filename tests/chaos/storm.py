"""A crowd of connections to one node, dropped and back at once; what it asks of the engine."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox.bench import Address, Audience, Subscriber, Turned, open_all
from batonbox_server.domain.model import Role, RoomKind
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.store.directory_port import Inbox, User
from tests.served import Served, served

__all__ = ["INBOX", "Crowd", "commands_of", "crowd"]

INBOX = "floor"
OUR = "+14165550199"
_PATIENCE_S = 600.0
# Both ends share this process and its loop; more would only wait for each other.
_AT_ONCE = 500


class Crowd:
    """`users` people of one inbox and one channel, each with as many connections as it takes."""

    def __init__(self, site: Served, users: int, connections: int) -> None:
        self.site = site
        self.users = [f"p{number:03}" for number in range(users)]
        self.connections = connections
        self.audience = Audience()
        self.turned = Turned()
        self._tokens: dict[str, str] = {}

    async def settle(self) -> None:
        """Make the people, their inbox and their channel."""
        node = self.site.node
        for user in self.users:
            await node.administration.create_user(User(user, user, Role.MEMBER))
            self._tokens[user] = await self.site.token(user, connections_per_user=self.connections)
        await node.administration.create_inbox(Inbox(INBOX, "Floor", tuple(self.users), (OUR,)))
        await node.room_store.create_channel(
            actor=self.users[0],
            cid="crowd",
            name="floor",
            kind=RoomKind.PUBLIC,
            members=self.users,
        )

    async def come(self) -> None:
        """All at once, each from where it was; returns when everybody is subscribed."""
        before, self.audience.members = self.audience.members, []
        address = Address.of(self.site.url)

        def make(number: int) -> Subscriber:
            user = self.users[number % len(self.users)]
            tallies = before[number].tallies if before else None
            return Subscriber(address, self._tokens[user], [INBOX], self.audience, tallies=tallies)

        self.audience.members = await open_all(
            make,
            self.connections,
            at_once=min(self.connections, _AT_ONCE),
            patience_s=_PATIENCE_S,
            turned=self.turned,
        )

    def drop(self) -> None:
        """As a broken network would."""
        for member in self.audience.members:
            member.cut()

    async def gone(self) -> None:
        """Until the node knows."""
        while self.site.node.pump.connections:
            await asyncio.sleep(0.01)

    async def texts(self, count: int) -> int:
        """Customers write, as many as `count`; the log's end then."""
        store = self.site.node.store
        await asyncio.gather(
            *(
                store.receive(
                    inbox=INBOX,
                    our=OUR,
                    customer=f"+1905555{number:04}",
                    provider_id=uuid.uuid4().hex,
                    body=msgpack.packb({"text": "hi"}),
                    preview="hi",
                )
                for number in range(count)
            )
        )
        return int((await store.head(log=self.site.node.keys.inbox(INBOX))).seq)


@asynccontextmanager
async def crowd(
    engine: EmbeddedEngine, *, users: int, connections: int, **settings: Any
) -> AsyncIterator[Crowd]:
    """A crowd that has not come yet, at a node that asks little by itself."""
    quiet = {"check_interval_s": 60.0, "outbox_sweep_s": 60.0, "webhooks_sweep_s": 60.0}
    quiet["archive_sweep_s"] = 60.0
    async with served(engine.url, "bb:", **{**quiet, **settings}) as site:
        it = Crowd(site, users, connections)
        await it.settle()
        try:
            yield it
        finally:
            it.drop()
            await it.gone()


async def commands_of(site: Served) -> Counter[str]:
    """What the engine has carried out so far, by command."""
    info = (await site.node.client.execute("INFO", "commandstats")).decode()
    found: Counter[str] = Counter()
    for line in info.splitlines():
        if line.startswith("cmdstat_"):
            name, _, rest = line.removeprefix("cmdstat_").partition(":")
            found[name] = int(rest.split(",")[0].removeprefix("calls="))
    return found

"""A store, its archive as a node guards it, and archivers that may die at any step."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox_server.archive.guarded import GuardedArchive
from batonbox_server.archive.sqlite import SqliteArchive
from batonbox_server.service.archiver import Archiver, Bounds
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.waiting import RedisWaiting
from tests.integration.archived_box import ArchivedBox
from tests.integration.store_harness import OUR

__all__ = ["CUSTOMERS", "Died", "Fate", "Site", "swept"]

CUSTOMERS = ("+15550301", "+15550302", "+15550303")


class Died(Exception):
    """The process is gone at this point."""


class Fate:
    """Counts steps; the `at`-th, from 1, is the last: before it, or when it has taken effect."""

    def __init__(self, at: int = 0, *, after: bool = False) -> None:
        self.at, self.after, self.steps = at, after, 0

    def mortal(self, target: Any) -> Any:
        """The same, each call of whose coroutines is a step."""
        fate = self

        class Mortal:
            def __getattr__(self, name: str) -> Any:
                found = getattr(target, name)
                if not inspect.iscoroutinefunction(found):
                    return found

                async def step(*args: Any, **given: Any) -> Any:
                    fate.steps += 1
                    here = fate.steps == fate.at
                    if (fate.at and fate.steps > fate.at) or (here and not fate.after):
                        raise Died
                    result = await found(*args, **given)
                    if here:
                        raise Died
                    return result

                return step

        return Mortal()


class Site(ArchivedBox):
    """A box, its archive guarded as a node has it, and archivers over both."""

    def __init__(
        self,
        client: EngineClient,
        space: str,
        folder: Path,
        archive: SqliteArchive | None = None,
    ) -> None:
        super().__init__(client, space, folder)
        self.archive = archive or self.archive
        self.guarded = GuardedArchive(self.archive, self.store, owner="us")
        self.store.read_through(self.guarded)
        self.folder = folder

    def archiver(self, fate: Fate | None = None, **bounds: Any) -> Archiver:
        """One more; it moves at once what may move, however far the log's clock runs ahead."""

        async def logs() -> AsyncIterator[str]:
            yield "box"

        fate = fate or Fate()
        given = {"keep": 2, "done_days": -1.0, "sweep_s": 0.01, "memory_max": 0, "lease_s": 0.02}
        return Archiver(
            fate.mortal(self.store),
            RedisWaiting(self.client, keys=self.keys),
            fate.mortal(self.guarded),
            logs,
            bounds=Bounds(**{**given, **bounds}),
            holder=uuid.uuid4().hex,
        )

    async def write(self, *, times: int, size: int = 5) -> None:
        """Three customers write so often; the first two are answered, and done."""
        for customer in CUSTOMERS:
            for _ in range(times):
                await self.store.receive(
                    inbox="box", our=OUR, customer=customer, provider_id=uuid.uuid4().hex,
                    body=msgpack.packb({"text": "x" * size}), preview="x",
                )  # fmt: skip
        for customer in CUSTOMERS[:2]:
            await self.finish(await self.receive(customer))

    async def proof(self) -> dict[str, Any]:
        """Everything that can be read: rows of all views, and all messages in small pages."""
        told: dict[str, Any] = {"done": await self.paged("done"), "open": await self.paged("open")}
        for conv in told["done"] + told["open"]:
            row = (await self.store.history(conv=conv, actor="adm", n=1)).row
            told[conv] = (row, await self.messages(conv))
        return told

    async def messages(self, conv: str) -> list[Any]:
        """All of them, three at a time."""
        found: list[Any] = []
        before = 0
        while True:
            page = await self.store.history(conv=conv, actor="adm", before=before, n=3)
            found = page.messages + found
            if not page.next:
                return found
            before = page.next


async def swept(archiver: Archiver) -> None:
    """A sweep when nobody else has the lease any more."""
    await asyncio.sleep(0.03)
    await archiver.sweep()

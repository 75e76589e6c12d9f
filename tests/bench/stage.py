"""What every measurement stands on: an engine, a store to prepare things with, one inbox."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgpack  # type: ignore[import-untyped]

from batonbox_server.engine import EmbeddedEngine
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.store.redis import RedisStore

from .processes import LOAD_CORE, SERVER_CORE, Child, child, pin, token_of

__all__ = ["INBOX", "Stage", "opened"]

INBOX = "sales"
OUR = "+14165550100"


@dataclass(frozen=True, slots=True)
class Stage:
    """One engine and one server with the demo organisation; figures belong to one run."""

    engine: EmbeddedEngine
    client: EngineClient
    store: RedisStore
    server: Child
    port: int
    token: str

    @property
    def log(self) -> str:
        """Key prefix of the inbox."""
        return Keys().inbox(INBOX)

    async def conversation(self, number: int) -> str:
        """The `number`-th customer has written; returns the conversation."""
        received = await self.store.receive(
            inbox=INBOX,
            our=OUR,
            customer=f"+1905555{number:04d}",
            provider_id=uuid.uuid4().hex,
            body=msgpack.packb({"text": "hello"}),
            preview="hello",
        )
        return received.conv


@asynccontextmanager
async def opened() -> AsyncIterator[Stage]:
    """Everything up: the server on its core, the engine and the load on the other."""
    with tempfile.TemporaryDirectory(prefix="batonbox-bench-") as folder:
        engine = EmbeddedEngine(Path(folder) / "engine")
        await engine.start()
        pin(engine.pid, LOAD_CORE)
        client = EngineClient(engine.url)
        try:
            await client.connect()
            data = Path(folder) / "server"
            serve = ("serve", "--demo", "--redis-url", engine.url, "--port", "0")
            arguments = ("batonbox_server", *serve, "--data-dir", str(data))
            async with child(*arguments, core=SERVER_CORE) as server:
                port = await server.port()
                token = await token_of("admin", data_dir=data)
                store = RedisStore(client, keys=Keys())
                yield Stage(engine, client, store, server, port, token)
        finally:
            await client.aclose()
            await engine.stop()

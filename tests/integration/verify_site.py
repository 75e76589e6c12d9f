"""An organisation that has seen some life, and copies of it in which something is spoiled."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox_server.config import Settings
from batonbox_server.domain.replay import chain
from batonbox_server.node_organisation import Organisation
from batonbox_server.node_verify import verify_here
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from tests.served import SALES, Served, served

__all__ = ["Copy", "Edit", "lived", "opened"]

Edit = Callable[[list[Any]], list[Any]]
AGENTS = ("agent1", "agent2", "agent3")


def _settings(folder: Path) -> dict[str, Any]:
    return {
        "archive_url": f"sqlite://{folder}/archive.sqlite",
        "archive_keep_messages": 3,
        "archive_done_days": 0.0,
        "archive_sweep_s": 0.1,
        "data_dir": str(folder),
    }


async def lived(engine_url: str, space: str, folder: Path) -> None:
    """People write, take, answer, finish, talk to each other; some of it is archived by the end."""
    settings = _settings(folder)
    async with served(engine_url, space, **settings) as site:
        convs = [await site.texts("hello", customer=f"+141655502{n:02}") for n in range(8)]
        for text in range(9):
            await site.texts(f"and {text}", customer="+14165550200")
        await site.texts("STOP", customer="+14165550298")
        for n, conv in enumerate(convs[:6]):
            agent = AGENTS[n % 3]
            await _ok(site.act(agent, conv, "assign"))
            await _ok(site.act(agent, conv, "reply", text=f"answer {n}"))
            await _ok(site.act(agent, conv, "note", text="a note"))
        await _ok(site.act("agent1", convs[3], "transfer", to="agent2"))
        await _ok(site.act("agent2", convs[1], "return"))
        for n in (4, 5):
            row = await site.get("admin", f"/v1/conversations/{convs[n]}")
            done = {"seen": row["in_seq"], "own_tok": row["own_tok"]}
            await _ok(site.act(AGENTS[n % 3], convs[n], "done", **done))
        await _talk(site)
        await _ok(site.call("agent1", "POST", "/v1/contacts", {"name": "Lee", "numbers": [SALES]}))
        await _ok(
            site.call("admin", "POST", "/v1/admin/webhooks", {"url": "https://example.com/h"})
        )
        for _ in range(600):
            status = await site.node.archive.status()
            if status.rows and status.lines > 6:
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("nothing was archived")
    async with opened(engine_url, space, folder) as organisation:
        # Nobody is there to send this one.
        await organisation.store.compose(
            inbox="sales", actor="agent3", cid="waits", our=SALES, customer="+14165550299",
            body=bytes(msgpack.packb({"text": "soon"})), preview="soon",
        )  # fmt: skip


async def _talk(site: Served) -> None:
    rooms = (await site.get("agent1", "/v1/rooms"))["items"]
    channel = next(room["id"] for room in rooms if room["name"] == "general")
    direct = (await site.call("agent1", "POST", "/v1/rooms/direct", {"user": "agent2"})).json()[
        "conv"
    ]
    for n in range(4):
        body = {"text": f"post {n}", "mentions": ["agent2"]}
        await _ok(site.call("agent1", "POST", f"/v1/rooms/{channel}/post", body))
    for n in range(12):
        await _ok(site.call("agent2", "POST", f"/v1/rooms/{direct}/post", {"text": f"psst {n}"}))


async def _ok(call: Awaitable[Any]) -> None:
    answer = await call
    assert answer.is_success, answer.text


@asynccontextmanager
async def opened(engine_url: str, space: str, folder: Path) -> AsyncIterator[Organisation]:
    """The organisation without a node."""
    settings = Settings(redis_url=engine_url, key_space=space, **_settings(folder))
    organisation = Organisation(settings)
    try:
        await organisation.open()
        yield organisation
    finally:
        await organisation.close()


def _copy_archive(source: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    for file in source.glob("archive.sqlite*"):
        shutil.copyfile(file, into / file.name)


class Copy:
    """A copy of everything under key names of its own, to be spoiled; `verified` is its report."""

    def __init__(self, client: EngineClient, engine_url: str, space: str, folder: Path) -> None:
        self.client = client
        self.space = f"v{uuid.uuid4().hex[:12]}"
        self.folder = folder
        self.keys = Keys(self.space)
        self._url = engine_url
        self._of = space

    async def made(self, source: Path) -> Copy:
        """Copy keys and archive."""
        _copy_archive(source, self.folder)
        cursor = b"0"
        while True:
            cursor, names = await self.client.execute(
                "SCAN", cursor, "MATCH", f"{self._of}{{*", "COUNT", 1000
            )
            await asyncio.gather(*map(self._copied, names))
            if cursor == b"0":
                return self

    async def _copied(self, name: bytes) -> None:
        asked = (self.client.execute("DUMP", name), self.client.execute("PTTL", name))
        dump, ttl = await asyncio.gather(*asked)
        to = self.space.encode() + name.removeprefix(self._of.encode())
        if dump is not None:
            await self.client.execute("RESTORE", to, max(0, ttl), dump, "REPLACE")

    @property
    def log(self) -> str:
        """Prefix of the inbox's keys."""
        return self.keys.inbox("sales")

    async def run(self, *args: str | bytes | int) -> Any:
        """A command; what it did, which must be something."""
        done = await self.client.execute(*args)
        assert done not in (0, None), args
        return done

    async def verified(self) -> dict[str, Any]:
        """The report."""
        async with opened(self._url, self.space, self.folder) as organisation:
            return await verify_here(organisation)

    async def convs(self, index: str) -> list[str]:
        """Conversations of an index."""
        return [c.decode() for c in await self.run("ZRANGE", f"{self.log}:{index}", 0, -1)]

    async def room(self, *, direct: bool) -> str:
        """The id of the channel, or of the direct room."""
        rooms = await self.run("ZRANGE", f"{self.keys.org}:ra", 0, -1)
        found = [r.decode() for r in rooms]
        channels = {r.decode() for r in await self.run("HKEYS", f"{self.keys.org}:rooms")}
        of_kind: list[str] = [room for room in found if (room not in channels) is direct]
        return of_kind[0]

    async def relog(self, edit: Edit, *, chained: bool) -> None:
        """Write the inbox's log anew; `edit` gets (seq, meta, body) of each entry in a list.

        `chained`: with tips that fit, as a bug of ours would have it.
        """
        name = f"{self.log}:log"
        entries = await self.run("XRANGE", name, "-", "+")
        fields = [dict(zip(e[1][::2], e[1][1::2], strict=True)) for e in entries]
        frames = [msgpack.unpackb(f[b"f"]) for f in fields]
        told = edit(deepcopy([[f[2], f[3], f[4]] for f in frames]))
        await self.run("DEL", name)
        tip = fields[0][b"p"].decode()
        for (seq, meta, body), old, frame in zip(told, fields, frames, strict=True):
            core = old[b"f"][:-17]
            if [seq, meta, body] != frame[2:5]:
                packed = b"".join(msgpack.packb(part) for part in (20, frame[1], seq, meta, body))
                core = b"\x96" + packed
            prev = tip if chained else old[b"p"].decode()
            tip = chain(prev, core) if chained else frame[5]
            sealed = core + b"\xb0" + tip.encode()
            await self.run("XADD", name, f"{seq}-0", "f", sealed, "p", prev, "t", old[b"t"])
        if chained:
            await self.client.execute("HSET", f"{self.log}:meta", "tip", tip)

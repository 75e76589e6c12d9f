"""A mixed load on one stage: customers write by chance, members open, assign, reply and finish."""

from __future__ import annotations

import asyncio
import json
import random
import time
from statistics import quantiles
from typing import Any, Final

from batonbox._wire import Op
from batonbox.bench import Address, Audience, Commander, open_one, packed, stamp

from .processes import cpu_s
from .stage import INBOX, OUR, Stage

__all__ = ["Poster", "mixed_load", "open_thread"]

_SETTLE_S: Final = 2.5
_PER_S: Final = 12.0  # customers' messages
_LIFE: Final = 4  # messages of a conversation: assigned at the first, done at the last
_GOING_ON: Final = 20


class Poster:
    """Customers' messages over one kept HTTP connection, one after the other."""

    def __init__(
        self, stage: Stage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._stage, self._reader, self._writer = stage, reader, writer
        self._turn = asyncio.Lock()

    @classmethod
    async def connected(cls, stage: Stage) -> Poster:
        """To the stage's server."""
        return cls(stage, *await asyncio.open_connection("127.0.0.1", stage.port))

    async def inbound(self, number: int) -> dict[str, Any]:
        """The `number`-th customer writes; the answer."""
        text = {"from": f"+1905{number:07d}", "to": OUR, "text": "Is anybody there?"}
        body = json.dumps(text).encode()
        head = (
            "POST /v1/loopback/inbound HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self._stage.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        async with self._turn, asyncio.timeout(30):
            self._writer.write(head.encode() + body)
            answered = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = int(answered.split("content-length:")[1].split("\r\n")[0])
            raw = await self._reader.readexactly(size)
        found: dict[str, Any] = json.loads(raw)
        assert "conv" in found, found
        return found

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def open_thread(commander: Commander, conv: str) -> str:
    """Read its thread and say so; returns the row's `in_seq`."""
    thread = await commander.ask(Op.HISTORY, conv, 0, 50)
    commander.write(packed([int(Op.SEEN), INBOX, conv, thread["row"]["att"]]))
    return str(thread["row"]["in_seq"])


async def mixed_load(
    stage: Stage, address: Address, audience: Audience, *, seconds: float
) -> dict[str, float]:
    """What the `audience` looks on at: messages per second, CPU shares of a core, latencies."""
    commander = await open_one(lambda: Commander(address, stage.token))
    post = await Poster.connected(stage)
    await asyncio.sleep(_SETTLE_S)
    del audience.took_s[:]
    chance, tokens = random.Random(7), dict[str, str]()
    pids = stage.server.pid, stage.engine.pid
    before, began_s = [cpu_s(pid) for pid in pids], time.perf_counter()
    number = 0
    async with asyncio.TaskGroup() as group:
        while time.perf_counter() < began_s + seconds:
            group.create_task(_turn(number, post, commander, tokens))
            number += 1
            await asyncio.sleep(chance.expovariate(_PER_S))
    await asyncio.sleep(0.5)
    lasted_s = time.perf_counter() - began_s
    shares = [(cpu_s(pid) - b) / lasted_s for pid, b in zip(pids, before, strict=True)]
    cuts = quantiles(audience.took_s, n=100)
    commander.close()
    post.close()
    return {
        "messages_per_s": number / lasted_s,
        "worker_share": shares[0],
        "engine_share": shares[1],
        "p50_ms": 1000 * cuts[49],
        "p99_ms": 1000 * cuts[98],
    }


async def _turn(number: int, post: Poster, commander: Commander, tokens: dict[str, str]) -> None:
    # As many conversations go on at once as keeps two turns of one apart.
    block, place = divmod(number, _LIFE * _GOING_ON)
    step, customer = divmod(place, _GOING_ON)
    received = await post.inbound(20_000 + block * _GOING_ON + customer)
    conv = received["conv"]

    async def command(name: str, **args: Any) -> None:
        given = {"conv": conv, "cid": stamp("capacity", time.perf_counter()), **args}
        answer = await commander.ask(Op.CMD, name, given)
        tokens[conv] = answer["own_tok"]

    in_seq = await open_thread(commander, conv)
    if step == 0:
        await command("assign")
    await command("reply", text="We are on it.", own_tok=tokens[conv])
    if step == _LIFE - 1:
        await command("done", seen=in_seq, own_tok=tokens[conv])

"""`python -m tests.bench.capacity`: the constants of the capacity model, and how far it is off.

Each constant is the slope between two measurements on one server: CPU of its threads and of its
engine's. At the end a mixed load runs that none of them was taken from, and the model and its
simulation are asked for the same: the difference is the error that docs/operations.md states.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgpack  # type: ignore[import-untyped]
import structlog

from batonbox._wire import Op
from batonbox.bench import (
    Address,
    Audience,
    Commander,
    Subscriber,
    open_all,
    open_one,
    raise_file_limit,
    stamp,
)
from batonbox_server import capacity
from batonbox_server.capacity import Costs, Demand, cost_table, planned
from batonbox_server.capacity_simulation import simulate
from batonbox_server.store.keys import Keys
from batonbox_server.store.resp import pack

from .mixed import Poster, mixed_load, open_thread
from .processes import cpu_s
from .sizes import engine_sizes
from .stage import INBOX, Stage, opened

__all__ = ["capacity_figures"]

_SETTLE_S: Final = 2.5
_IDLE_S: Final = 5.0
_LISTENERS: Final = 300  # of the mixed load
_FOLLOWERS: Final = 8


async def capacity_figures(*, quick: bool) -> list[dict[str, Any]]:
    """Rows {name, unit, value, rounds}: `capacity.<constant>`, and `capacity.error.<what>` in %."""
    raise_file_limit()
    async with opened() as stage:
        bench = _Bench(stage, rounds=3 if quick else 5)
        found = await bench.constants(connections=500 if quick else 2_000)
        errors = await bench.errors(found, seconds=10 if quick else 30)
    return [
        {"name": name, "unit": unit, "value": median(rounds), "rounds": rounds}
        for name, unit, rounds in [*found, *errors]
    ]


_Row = tuple[str, str, list[float]]


class _Bench:
    """Measures one stage; a round is so many of the same thing, and what it took each."""

    def __init__(self, stage: Stage, *, rounds: int) -> None:
        self.stage = stage
        self.rounds = rounds
        self.address = Address.of(f"http://127.0.0.1:{stage.port}")
        self.audience = Audience(timed=True)
        self.idle_us = (0.0, 0.0)  # of server and engine, a second of nothing

    async def constants(self, *, connections: int) -> list[_Row]:
        """Of the worker and the engine, from the quietest to the busiest."""
        quiet_bytes, sizes = await self._rss(), await engine_sizes(self.stage)
        self.idle_us = await self._idle()
        conv = await self.stage.conversation(0)
        commander = await open_one(lambda: Commander(self.address, self.stage.token))
        alone = await self._notes(conv)
        changed = await self._changes(commander)
        opened = await self._rounds(lambda: open_thread(commander, conv), 100)
        replied = await self._replies(commander)
        intake = await self._intake()
        badge, size = await self._badges(connections, alone=alone[0])
        listened, opening = await self._listeners(conv, connections)
        looks = await self._looks()
        heard, heard_engine = median(alone[0]), median(alone[1])
        rows: list[_Row] = [
            ("engine_intake_us", "us", intake[1]),
            ("engine_reply_us", "us", replied[1]),
            ("engine_change_us", "us", changed[1]),
            ("engine_open_us", "us", opened[1]),
            ("engine_publish_us", "us", await self._publish(conv, alone=heard_engine)),
            ("engine_look_us", "us", looks[0]),
            ("worker_intake_us", "us", [each - heard for each in intake[0]]),
            ("worker_reply_us", "us", [each - 3 * heard for each in replied[0]]),
            ("worker_change_us", "us", [each - heard for each in changed[0]]),
            ("worker_open_us", "us", opened[0]),
            ("worker_heard_us", "us", alone[0]),
            ("worker_delivery_us", "us", [(each - heard) / connections for each in listened]),
            ("worker_badge_us", "us", badge),
            ("worker_look_us", "us", looks[1]),
            ("worker_handshake_us", "us", [opening]),
            ("engine_idle_us", "us", [self.idle_us[1]]),
            ("worker_idle_us", "us", [self.idle_us[0]]),
            ("connection_bytes", "bytes", [size]),
            ("worker_bytes", "bytes", [quiet_bytes]),
            ("idle_latency_us", "us", await self._latency(conv, commander)),
        ]
        rows += [(name, "bytes", [size]) for name, size in sizes.items()]
        commander.close()
        # A difference of two measurements may come out below nothing.
        return [(f"capacity.{name}", u, [max(0.0, r) for r in rounds]) for name, u, rounds in rows]

    async def errors(self, found: list[_Row], *, seconds: float) -> list[_Row]:
        """What the model says of a mixed load with these constants, over what it was, less one."""
        names = {name for name, *_ in cost_table()}
        values = {name.removeprefix("capacity."): median(rounds) for name, _, rounds in found}
        costs = replace(Costs(), **{name: v for name, v in values.items() if name in names})
        await self._look_on(_LISTENERS)
        took = await mixed_load(self.stage, self.address, self.audience, seconds=seconds)
        await self._leave()
        demand = Demand(
            members=1,
            online=_LISTENERS,
            inboxes=1,
            listeners=_LISTENERS,
            messages_per_s=took["messages_per_s"],
            messages_per_day=0,
            memberships=1,
        )
        plan = planned(demand, costs)
        told = simulate(demand, replace(plan, workers=1), costs=costs, storm=False)
        said = {
            "worker_share": (plan.worker_share, took["worker_share"]),
            "engine_share": (plan.engine_share, took["engine_share"]),
            "simulated_worker_share": (told.worker_share, took["worker_share"]),
            "p50": (told.p50_ms, took["p50_ms"]),
            "p99": (told.p99_ms, took["p99_ms"]),
        }
        rows: list[_Row] = [(f"capacity.mixed.{name}", "", [value]) for name, value in took.items()]
        for name, (model, real) in said.items():
            rows.append((f"capacity.error.{name}", "%", [100 * (model / real - 1)]))
        return rows

    # One thing each

    async def _notes(self, conv: str) -> tuple[list[float], list[float]]:
        """Events made elsewhere, one at a time: of the server, of the engine."""
        body = msgpack.packb({"text": "x" * 120})

        async def note() -> None:
            cid = stamp("capacity", time.perf_counter())
            seq = (await self.stage.store.note(conv=conv, actor="admin", cid=cid, body=body)).seq
            if self.audience.members:
                await self.audience.until({INBOX: seq}, timeout_s=30)

        return await self._rounds(note, 100)

    async def _changes(self, commander: Commander) -> tuple[list[float], list[float]]:
        """Assign and return, one at a time."""
        conv = await self.stage.conversation(8)

        async def both() -> None:
            args = {"conv": conv, "cid": uuid.uuid4().hex}
            tok = (await commander.ask(Op.CMD, "assign", args))["own_tok"]
            args = {"conv": conv, "cid": uuid.uuid4().hex, "own_tok": tok}
            await commander.ask(Op.CMD, "return", args)

        server, engine = await self._rounds(both, 50)
        return [each / 2 for each in server], [each / 2 for each in engine]

    async def _replies(self, commander: Commander) -> tuple[list[float], list[float]]:
        """Each with what follows it: leased, taken by the simulated phones, delivered."""
        conv = await self.stage.conversation(9)
        args = {"conv": conv, "cid": uuid.uuid4().hex}
        tok = (await commander.ask(Op.CMD, "assign", args))["own_tok"]

        async def reply() -> None:
            given = {"conv": conv, "text": "We are on it.", "own_tok": tok}
            await commander.ask(Op.CMD, "reply", {**given, "cid": uuid.uuid4().hex})

        return await self._rounds(reply, 50)

    async def _intake(self) -> tuple[list[float], list[float]]:
        post = await Poster.connected(self.stage)
        try:
            return await self._rounds(lambda: post.inbound(random.randrange(5_000)), 100)
        finally:
            post.close()

    async def _badges(self, connections: int, *, alone: list[float]) -> tuple[list[float], float]:
        """Connections at level `badge`, of which a customer's first message moves everybody's;
        and the memory of one, as the first to come: later ones find memory that others left."""
        before_bytes = await self._rss()
        seats = await open_all(lambda _: Commander(self.address, self.stage.token), connections)
        size = (await self._rss() - before_bytes) / connections
        numbers = iter(range(6_000, 10_000))

        async def received() -> None:
            await self.stage.conversation(next(numbers))
            await asyncio.sleep(0.15)  # badges are told ten times a second at most

        took = (await self._rounds(received, 10))[0]
        for seat in seats:
            seat.close()
        await asyncio.sleep(1)
        return [(t - median(alone)) / connections for t in took], size

    async def _listeners(self, conv: str, count: int) -> tuple[list[float], float]:
        """Per event with so many listeners; CPU of one's opening."""
        before_s = cpu_s(self.stage.server.pid)
        await self._look_on(count)
        opening_us = 1e6 * (cpu_s(self.stage.server.pid) - before_s) / count
        took = (await self._notes(conv))[0]
        await self._leave()
        return took, opening_us

    async def _publish(self, conv: str, *, alone: float) -> list[float]:
        """With more nodes that follow: raw subscriptions, read and thrown away."""
        links = [await _follow(self.stage) for _ in range(_FOLLOWERS)]
        took = (await self._notes(conv))[1]
        for _, writer in links:
            writer.close()
        return [(t - alone) / _FOLLOWERS for t in took]

    async def _looks(self) -> tuple[list[float], list[float]]:
        """`due` and `lease_outbox` of an inbox where nothing is; our own CPU is a worker's."""
        engine, worker = list[float](), list[float]()
        for _ in range(self.rounds):
            before = cpu_s(self.stage.engine.pid), time.process_time()
            for _ in range(200):
                await self.stage.store.due(inbox=INBOX)
                await self.stage.store.lease_outbox(inbox=INBOX, lease_ms=1000, n=16)
            engine.append(1e6 * (cpu_s(self.stage.engine.pid) - before[0]) / 400)
            worker.append(1e6 * (time.process_time() - before[1]) / 400)
        return engine, worker

    async def _latency(self, conv: str, commander: Commander) -> list[float]:
        """From a command to its event, with one listener and nothing else to do."""
        await self._look_on(1)
        rounds = []
        for _ in range(self.rounds):
            del self.audience.took_s[:]
            for _ in range(50):
                cid = stamp("capacity", time.perf_counter())
                args = {"conv": conv, "text": "x" * 120, "cid": cid}
                seq = (await commander.ask(Op.CMD, "note", args))["seq"]
                await self.audience.until({INBOX: seq}, timeout_s=30)
            rounds.append(1e6 * median(self.audience.took_s))
        await self._leave()
        return rounds

    # Measuring

    async def _look_on(self, count: int) -> None:
        def make(_: int) -> Subscriber:
            return Subscriber(self.address, self.stage.token, [INBOX], self.audience)

        self.audience.members += await open_all(make, count)

    async def _leave(self) -> None:
        for member in self.audience.members:
            member.close()
        self.audience.members.clear()
        await asyncio.sleep(1)

    async def _rounds(
        self, act: Callable[[], Awaitable[object]], count: int
    ) -> tuple[list[float], list[float]]:
        """CPU microseconds of server and engine per act; the first round warms up."""
        pids = self.stage.server.pid, self.stage.engine.pid
        found: tuple[list[float], list[float]] = ([], [])
        for turn in range(self.rounds + 1):
            before, began_s = [cpu_s(pid) for pid in pids], time.perf_counter()
            for _ in range(count):
                await act()
            await asyncio.sleep(0.3)  # what follows an event: badges, the search index
            lasted_s = time.perf_counter() - began_s
            for pid, b, idle_us, rounds in zip(pids, before, self.idle_us, found, strict=True):
                if turn:
                    rounds.append((1e6 * (cpu_s(pid) - b) - idle_us * lasted_s) / count)
        return found

    async def _idle(self) -> tuple[float, float]:
        pids = self.stage.server.pid, self.stage.engine.pid
        before, began_s = [cpu_s(pid) for pid in pids], time.perf_counter()
        await asyncio.sleep(_IDLE_S)
        lasted_s = time.perf_counter() - began_s
        server, engine = [(cpu_s(pid) - b) / lasted_s for pid, b in zip(pids, before, strict=True)]
        return 1e6 * server, 1e6 * engine

    async def _rss(self) -> float:
        await asyncio.sleep(_SETTLE_S)
        return _memory_bytes(self.stage.server.pid)


async def _follow(stage: Stage) -> tuple[asyncio.Task[None], asyncio.StreamWriter]:
    parts = urlsplit(stage.engine.url)
    reader, writer = await asyncio.open_unix_connection(unquote(parts.path))
    channel = Keys.channel(Keys().inbox(INBOX))
    writer.write(pack(("AUTH", parts.password or "")) + pack(("SSUBSCRIBE", channel)))

    async def drain() -> None:
        while await reader.read(1 << 18):
            pass

    return asyncio.get_running_loop().create_task(drain()), writer


def _memory_bytes(pid: int) -> float:
    """Its own part of the memory, as far as it shares."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024.0 * int(text.split("Pss:")[1].split()[0])


def main() -> None:
    """Print every constant beside the one in use, and the errors."""
    parser = argparse.ArgumentParser(prog="tests.bench.capacity", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write them into capacity.py")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    used = {f"capacity.{name}": value for name, value, *_ in cost_table()}
    given = parser.parse_args()
    rows = asyncio.run(capacity_figures(quick=given.quick))
    for row in rows:
        beside = f"(in use {used[row['name']]:,.1f})" if row["name"] in used else ""
        spread = f"{min(row['rounds']):,.2f}..{max(row['rounds']):,.2f}"
        print(f"{row['name']:<36} {row['value']:>14,.2f} {row['unit']:<6} {spread} {beside}")
    if given.keep:
        _keep({row["name"].removeprefix("capacity."): row["value"] for row in rows})


def _written(value: float) -> str:
    return f"{value:_.1f}" if value < 1e6 else f"{value / 1e6:.1f}e6"


def _keep(values: dict[str, float]) -> None:
    path = Path(capacity.__file__)
    text = path.read_text()
    for name, value in values.items():
        if value <= 0:
            continue  # lost in the noise: what is there is better
        text = re.sub(rf"({name}: float = _m\(\s*)[\d_.e]+", rf"\g<1>{_written(value)}", text)
    path.write_text(text)


if __name__ == "__main__":
    main()

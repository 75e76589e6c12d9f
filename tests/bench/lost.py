"""Acknowledged writes that a failure loses, by set-up of engines, `dur` and fault: measured.

    python -m tests.bench.lost [--only WORDS] [--seconds S] [--seed N] [--json]

Notes are written through the server's own store and engine client, by a few dozen writers, each as
fast as it is answered.  A write counts as acknowledged when its caller would have been told OK.
Afterwards every acknowledged position is looked for in its log.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Role
from batonbox_server.errors import BatonboxError, Refused
from batonbox_server.store.durable import Durable
from batonbox_server.store.durable_port import LEVELS, Level
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.redis import RedisStore
from batonbox_server.store.topology import engine_of
from batonbox_server.tasks import cancel_all, spawn

from .faults import SETUPS, Setup
from .markdown import number, table

INBOXES: Final = 6
WRITERS: Final = 48
OUR, BODY = "+15550100", bytes(msgpack.packb({"text": "x" * 40}))
BACK_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One trial; `unconfirmed` took effect or not, and nobody was told OK.

    `away_s`: the longest time without an acknowledgement that includes the fault.
    """

    setup: str
    dur: str
    fault: str
    acknowledged: int
    lost: int
    unconfirmed: int
    away_s: float


@dataclass(slots=True)
class _Write:
    inbox: str
    seq: int
    tip: str


class Trial:
    """Writers on one site, and what they were told."""

    def __init__(self, engine: Engine, level: Level) -> None:
        keys = Keys(f"t{uuid.uuid4().hex[:8]}:")
        self.engine, self.level, self.keys = engine, level, keys
        self.store = RedisStore(engine, keys=keys, log_events=10_000_000)
        self.durable = Durable(engine, keys=keys, within_ms=2000, expected=level == "replica")
        self.told: list[_Write] = []
        self.unconfirmed = 0
        self.last_s = time.monotonic()
        self.longest_s = 0.0
        self.convs: list[str] = []

    async def open(self) -> None:
        """Inboxes with a conversation each."""
        await self.durable.open()
        for index in range(INBOXES):
            inbox = f"box{index}"
            await self.store.create_inbox(inbox=inbox)
            await self.store.add_number(inbox=inbox, number=OUR)
            await self.store.join(inbox=inbox, user="ann", role=Role.MEMBER, joined=True)
            received = await self.store.receive(
                inbox=inbox, our=OUR, customer="+15550200", provider_id="1", body=BODY, preview="x"
            )
            self.convs.append(received.conv)

    async def write(self, conv: str) -> None:
        """One after the other until cancelled; who is not told OK goes on with the next."""
        inbox = conv.partition(".")[0]
        while True:
            since = self.durable.since()
            try:
                done = await self.store.note(
                    conv=conv, actor="ann", cid=uuid.uuid4().hex, body=BODY
                )
                await self.durable.confirm(self.level, since, logs=[inbox])
            except Refused:
                self.unconfirmed += 1
                await asyncio.sleep(0.01)
                continue
            now_s = time.monotonic()
            self.longest_s = max(self.longest_s, now_s - self.last_s)
            self.last_s = now_s
            self.told.append(_Write(inbox, done.seq, done.tip))

    async def lost(self) -> int:
        """How many of those that were told OK are in no log."""
        tips: dict[str, dict[int, bytes]] = {}
        for inbox in {write.inbox for write in self.told}:
            log = self.keys.inbox(inbox)
            head = await self.store.head(log=log)
            found: dict[int, bytes] = {}
            for first in range(1, head.seq + 1, 1000):
                last = min(first + 999, head.seq)
                for entry in await self.store.range(log=log, first=first, last=last):
                    found[entry.seq] = entry.frame[-16:]
            tips[inbox] = found
        return sum(tips[each.inbox].get(each.seq) != each.tip.encode() for each in self.told)


async def trial(setup: Setup, fault: str, level: Level, *, seconds: float, seed: int) -> Outcome:
    """Write, let it happen somewhere in the middle, write on, and count."""
    rng = random.Random(f"{setup.name} {fault} {level} {seed}")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batonbox-lost-")))
        site = await stack.enter_async_context(setup.site(folder))
        engine = engine_of(site.url, command_timeout_s=2.0)
        await engine.connect()
        stack.push_async_callback(engine.aclose)
        it = Trial(engine, level)
        await it.open()
        stack.push_async_callback(it.durable.aclose)
        tasks: set[asyncio.Task[None]] = set()
        for index in range(WRITERS):
            spawn(tasks, it.write(it.convs[index % INBOXES]), name="writer")
        await asyncio.sleep(seconds * rng.uniform(0.5, 1.0))
        await setup.faults[fault](site)
        await _back(it)
        await asyncio.sleep(1.0)
        await cancel_all(tasks)
        lost = await it.lost()
        return Outcome(
            setup.name, level, fault, len(it.told), lost, it.unconfirmed, round(it.longest_s, 2)
        )


async def _back(it: Trial) -> None:
    """Until somebody is told OK again in each inbox."""
    before = len(it.told)
    inboxes = {conv.partition(".")[0] for conv in it.convs}
    async with asyncio.timeout(BACK_S):
        while {write.inbox for write in it.told[before:]} != inboxes:
            await asyncio.sleep(0.05)


async def measured(only: str, *, seconds: float, seed: int) -> list[Outcome]:
    """Every trial whose words contain `only`."""
    found = []
    for setup in SETUPS:
        for fault in setup.faults:
            for level in LEVELS:
                if level not in setup.levels or only not in f"{setup.name}, {fault}, {level}":
                    continue
                try:
                    outcome = await trial(setup, fault, level, seconds=seconds, seed=seed)
                except (BatonboxError, TimeoutError) as error:
                    raise SystemExit(f"{setup.name}, {fault}, {level}: {error!r}") from error
                print(json.dumps(asdict(outcome)), file=sys.stderr, flush=True)
                found.append(outcome)
    return found


def shown(found: Iterable[Outcome]) -> str:
    """A row for each set-up and fault: lost of acknowledged, by level."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for each in found:
        row = rows.setdefault((each.setup, each.fault), {})
        row[each.dur] = f"{number(each.lost)} of {number(each.acknowledged)}"
    lines = [
        [f"{setup}: {fault}", *(row.get(level, "-") for level in LEVELS)]
        for (setup, fault), row in rows.items()
    ]
    return table(["set-up: fault", *(f"`{level}`" for level in LEVELS)], lines)


def main() -> None:
    """Measure, print a table (or JSON)."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lost", description=__doc__)
    parser.add_argument("--only", default="", help="trials with these words")
    parser.add_argument("--seconds", type=float, default=4.0, help="of writing before the fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with suppress(KeyboardInterrupt):
        found = asyncio.run(measured(args.only, seconds=args.seconds, seed=args.seed))
        print(json.dumps([asdict(each) for each in found]) if args.json else shown(found))


if __name__ == "__main__":
    main()

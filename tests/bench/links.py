"""Connections: what an idle one takes, what a handshake costs, and a storm of them coming back."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from batonbox._wire import Frame
from batonbox.bench import Audience, Lean, failure, open_all
from batonbox.bench.meter import quiet, until
from batonbox_server.store.connect import EngineClient

from .figures import Figures, Spent, spending
from .fixture import conv_of
from .targets import NAIVE, OURS, Target, opened

__all__ = ["handshake_figures", "idle_figures", "storm_figures"]

_SETTLE_S: Final = 2.5
_INBOXES: Final = 10
_MISSED: Final = 5  # events of each inbox while everybody is away
_BACK_S: Final = 120.0
_AT_ONCE: Final = 1000


async def idle_figures(figures: Figures, *, quick: bool) -> None:
    """`idle.<server>.<connections>.memory`: bytes of server and engine for each, signed in."""
    count, rounds = (2000, 1) if quick else (10_000, 5)
    for name in (OURS, NAIVE):
        memory: list[float] = []
        for _ in range(rounds):
            async with opened(name) as (target,):
                await asyncio.sleep(1.0)
                before = target.rss_bytes
                audience = Audience()
                await target.fill(audience, count)
                await asyncio.sleep(_SETTLE_S)
                assert not any(link.ended for link in audience.members), "a connection has ended"
                memory.append((target.rss_bytes - before) / count)
                _cut(audience.members)
        figures.add(f"idle.{name}.{count}.memory", "bytes", memory)


async def handshake_figures(figures: Figures, *, quick: bool) -> None:
    """`handshakes.<server>.signed-in.<what>`: upgrade, token, subscription, until it is confirmed.

    `core`: per second of server and engine on a core.
    """
    count, rounds = (500, 2) if quick else (1000, 5)
    async with opened(OURS, NAIVE) as targets:
        found: dict[str, list[Spent]] = {target.name: [] for target in targets}
        with quiet():
            for number in range(rounds + 1):
                for target in targets:
                    audience = Audience()
                    with spending(target) as spent:
                        await target.fill(audience, count)
                    _cut(audience.members)
                    await asyncio.sleep(0.5)
                    if number:
                        found[target.name].append(spent)
        for name, spents in found.items():
            stem = f"handshakes.{name}.signed-in"
            figures.add(f"{stem}.cpu", "us", [1e6 * spent.cpu_s / count for spent in spents])
            figures.add(f"{stem}.core", "/s", [count / spent.cpu_s for spent in spents])
            figures.add(f"{stem}.rate", "/s", [count / spent.wall_s for spent in spents])
            figures.add(f"{stem}.noise", "%", [100 * spent.noise for spent in spents])


async def storm_figures(figures: Figures, *, quick: bool) -> None:
    """`storms.batonbox.<clients>.<what>`: all are cut off, miss events, and come back at once.

    `back`: seconds until the last one has everything; `scripts`, `engine` and `cpu`: of each that
    came back.
    """
    count, rounds = (500, 2) if quick else (5000, 5)
    found: dict[str, list[float]] = {"back": [], "scripts": [], "engine": [], "cpu": []}
    async with opened(OURS, inboxes=_INBOXES) as (target,):
        client = EngineClient(target.engine_url)
        await client.connect()
        storm = _Storm(target, client, Audience())
        try:
            await target.fill(storm.audience, count)
            with quiet():
                for number in range(rounds + 1):
                    one = await storm.once()
                    if number:
                        for name, value in one.items():
                            found[name].append(value)
            account = storm.audience.account(storm.top)
        finally:
            _cut(storm.audience.members)
            await client.aclose()
    stem = f"storms.{OURS}.{count}"
    for name, unit in (("back", "s"), ("scripts", ""), ("engine", "us"), ("cpu", "us")):
        figures.add(f"{stem}.{name}", unit, found[name])
    wrong = account.lost + account.doubled + account.disordered + account.closed
    figures.add(f"{stem}.wrong", "", [wrong])


@dataclass(slots=True)
class _Storm:
    """`top` has the number of the newest event of each inbox."""

    target: Target
    client: EngineClient
    audience: Audience
    top: dict[str, int] = field(default_factory=dict)

    async def once(self) -> dict[str, float]:
        """Cut everybody off, and bring everybody back."""
        before = self.audience.members
        _cut(before)
        await self._write()
        scripts = await self._scripts()
        with spending(self.target) as spent:
            self.audience.members = await open_all(
                lambda n: self.target.subscriber(
                    n % self.target.inboxes, self.audience, tallies=before[n].tallies
                ),
                len(before),
                at_once=_AT_ONCE,
            )
            await until(self._caught_up, timeout_s=_BACK_S)
        return {
            "back": spent.wall_s,
            "scripts": (await self._scripts() - scripts) / len(before),
            "engine": 1e6 * spent.engine_s / len(before),
            "cpu": 1e6 * spent.cpu_s / len(before),
        }

    async def _write(self) -> None:
        """Events that everybody misses."""
        sender = await self.target.writer()
        for number in range(_MISSED * self.target.inboxes):
            args = {"conv": conv_of(number % self.target.inboxes), "text": "x" * 200}
            sender.command("note", {**args, "cid": uuid.uuid4().hex}, self._written)
        await until(lambda: not sender.in_flight, timeout_s=_BACK_S)
        sender.cut()

    def _written(self, frame: Frame) -> None:
        assert failure(frame) is None, frame
        self.top[frame[2]["inbox"]] = frame[2]["seq"]

    def _caught_up(self) -> bool:
        tallies = (tally for member in self.audience.members for tally in member.tallies.items())
        return all(tally.next > self.top[inbox] for inbox, tally in tallies)

    async def _scripts(self) -> int:
        """Scripts that the engine has run so far."""
        told = (await self.client.execute("INFO", "commandstats")).decode()
        return sum(map(int, re.findall(r"cmdstat_fcall(?:_ro)?:calls=(\d+)", told)))


def _cut(links: Iterable[Lean]) -> None:
    for link in links:
        link.cut()

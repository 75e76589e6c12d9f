"""Fan-out: as many events as a window allows, and one at a time; latency at a load by the clock."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from batonbox._wire import Frame
from batonbox.bench import Account, Audience, failure, open_one, stamp
from batonbox.bench.meter import quiet, until

from .figures import Figures, Spent, spending
from .fixture import conv_of, user_of
from .targets import FLOOR, NAIVE, OURS, Sender, Target, opened

__all__ = ["Case", "Fan", "fan_out_figures", "latency_figures"]

_TEXT: Final = "x" * 200
_SETTLE_S: Final = 30.0
_RATE_PER_S: Final = 50.0
_PACED: Final = 500


@dataclass(frozen=True, slots=True)
class Case:
    """`window` events in the air, to `listeners` of each of so many inboxes."""

    name: str
    listeners: int
    inboxes: int
    window: int


_CASES: Final = (
    Case("100", 100, 1, 64),
    Case("1000", 1000, 1, 64),
    Case("5000", 5000, 1, 64),
    Case("inboxes", 10, 100, 100),
    Case("single", 1000, 1, 1),
)
_QUICK: Final = ("1000", "inboxes", "single")


class Fan:
    """Notes to the inboxes in turn; in the air is what not everybody has got yet."""

    def __init__(self, target: Target, sender: Sender, audience: Audience, case: Case) -> None:
        self.target = target
        self.audience = audience
        self._sender = sender
        self.case = case
        self._numbers = itertools.count()
        self._open = False
        self._sent = 0
        self._top: dict[str, int] = {}

    async def round(self, seconds: float) -> tuple[Spent, int]:
        """Keep the window full for so long; what it took, and how many deliveries it was."""
        self._open = True
        self.audience.reached = self._fill
        self._fill()
        await asyncio.sleep(min(0.5, seconds / 4))
        with spending(self.target) as spent:
            before = self.audience.total
            await asyncio.sleep(seconds)
            delivered = self.audience.total - before
        self._open = False
        await self.settled()
        return spent, delivered

    async def paced(self, rate_per_s: float, seconds: float) -> Spent:
        """Events by the clock, whether the ones before have arrived or not."""
        with spending(self.target) as spent:
            began_s = time.perf_counter()
            for number in range(1, round(rate_per_s * seconds) + 1):
                self._send()
                await asyncio.sleep(max(0.0, began_s + number / rate_per_s - time.perf_counter()))
        await self.settled()
        return spent

    async def settled(self) -> None:
        """Until everything is answered and has arrived."""
        self.audience.threshold = float("inf")
        await until(lambda: not self._sender.in_flight, timeout_s=_SETTLE_S)
        assert not self._sender.ended, self._sender.ended
        await until(self._arrived, timeout_s=_SETTLE_S, every_s=0.02)

    def account(self) -> Account:
        """Everything so far, against the numbers of the newest events."""
        return self.audience.account(self._top)

    def _arrived(self) -> bool:
        tallies = (tally for member in self.audience.members for tally in member.tallies.items())
        return all(tally.next > self._top.get(inbox, 0) for inbox, tally in tallies)

    def _fill(self) -> None:
        if not self._open:
            return
        listeners, audience = self.case.listeners, self.audience
        in_air = self._sent - audience.total // listeners
        for _ in range(self.case.window - in_air):
            self._send()
        step = listeners * max(1, self.case.window // 4)
        audience.threshold = audience.total - audience.total % listeners + step

    def _send(self) -> None:
        number = next(self._numbers)
        inbox = number % self.case.inboxes
        self._sent += 1
        cid = stamp(f"n{number}", time.perf_counter())
        args = {"conv": conv_of(inbox), "text": _TEXT, "cid": cid}
        self._sender.command("note", args, self._answered)

    def _answered(self, frame: Frame) -> None:
        assert failure(frame) is None, frame
        inbox, seq = str(frame[2]["inbox"]), int(frame[2]["seq"])
        self._top[inbox] = max(self._top.get(inbox, 0), seq)


class _Turns(Fan):
    """Changes of ownership instead of notes: Assign to Me, Return to Inbox, and so on."""

    _own_tok = ""

    def _send(self) -> None:
        if self._sender.in_flight:
            return  # what to send next is in the answer
        cid = stamp(f"t{next(self._numbers)}", time.perf_counter())
        args = {"conv": conv_of(0), "cid": cid}
        if self._own_tok:
            self._sender.command("return", {**args, "own_tok": self._own_tok}, self._answered)
        else:
            self._sender.command("assign", args, self._answered)

    def _answered(self, frame: Frame) -> None:
        super()._answered(frame)
        self._own_tok = "" if self._own_tok else str(frame[2]["own_tok"])


async def fan_out_figures(figures: Figures, *, quick: bool) -> None:
    """`fanout.<server>.<case>.<what>`: deliveries per second, CPU of one, what went wrong."""
    rounds, seconds = (2, 1.0) if quick else (5, 2.0)
    for case in _CASES:
        if quick and case.name not in _QUICK:
            continue
        async with _fans(case, (OURS, NAIVE, FLOOR)) as fans:
            rates: dict[str, list[float]] = {fan.target.name: [] for fan in fans}
            costs: dict[str, list[float]] = {fan.target.name: [] for fan in fans}
            noise: dict[str, list[float]] = {fan.target.name: [] for fan in fans}
            with quiet():
                for number in range(rounds + 1):
                    for fan in fans:
                        spent, delivered = await fan.round(seconds)
                        if number:  # the first warms up
                            rates[fan.target.name].append(delivered / spent.wall_s)
                            costs[fan.target.name].append(1e6 * spent.cpu_s / max(1, delivered))
                            noise[fan.target.name].append(100 * spent.noise)
            for fan in fans:
                stem = f"fanout.{fan.target.name}.{case.name}"
                figures.add(f"{stem}.rate", "/s", rates[fan.target.name])
                figures.add(f"{stem}.cpu", "us", costs[fan.target.name])
                figures.add(f"{stem}.wrong", "", [_wrong(fan.account())])
                figures.add(f"{stem}.noise", "%", noise[fan.target.name])


async def latency_figures(figures: Figures, *, quick: bool) -> None:
    """`latency.<server>.<case>.<p50|p99|max>` in ms, from the command's write on.

    `push` is a note; `command` a change of ownership, which only our server has.
    """
    rounds, seconds = (2, 2.0) if quick else (5, 4.0)
    case = Case("push", _PACED, 1, 1)
    async with _fans(case, (OURS, NAIVE, FLOOR), timed=True) as fans, AsyncExitStack() as stack:
        runs = [("push", fan) for fan in fans]
        runs.append(("command", await _turns(fans[0], stack)))
        found: list[list[list[float]]] = [[] for _ in runs]
        with quiet():
            for number in range(rounds + 1):
                for (_, fan), took in zip(runs, found, strict=True):
                    del fan.audience.took_s[:]
                    await fan.paced(_RATE_PER_S, seconds if number else 1.0)
                    if number:
                        took.append(sorted(fan.audience.took_s))
        for (name, fan), took in zip(runs, found, strict=True):
            stem = f"latency.{fan.target.name}.{name}"
            _percentiles(figures, stem, took)
            figures.add(f"{stem}.wrong", "", [_wrong(fan.account())])


@asynccontextmanager
async def _fans(
    case: Case, names: tuple[str, ...], *, timed: bool = False
) -> AsyncIterator[list[Fan]]:
    async with AsyncExitStack() as stack:
        fans = []
        for target in await stack.enter_async_context(opened(*names, inboxes=case.inboxes)):
            audience = Audience(timed=timed)
            await target.fill(audience, case.listeners * case.inboxes)
            sender = await target.writer()
            for link in (*audience.members, sender):
                stack.callback(link.cut)
            fans.append(Fan(target, sender, audience, case))
        yield fans


async def _turns(fan: Fan, stack: AsyncExitStack) -> _Turns:
    """The same subscribers, and their colleague who takes and returns."""
    member = await open_one(lambda: fan.target.commander(user_of(0)))
    stack.callback(member.cut)
    return _Turns(fan.target, member, fan.audience, fan.case)


def _wrong(account: Account) -> int:
    return account.lost + account.doubled + account.disordered + account.closed


def _percentiles(figures: Figures, stem: str, rounds: list[list[float]]) -> None:
    for name, at in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
        picked = [1e3 * took[min(len(took) - 1, int(at * len(took)))] for took in rounds if took]
        figures.add(f"{stem}.{name}", "ms", picked)

"""Who is typing: from the typist's write until everybody who looks at the conversation knows."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, Final

from batonbox._wire import Op
from batonbox.bench import Address, Lean, open_all, packed
from batonbox.bench.digest import Digests, Run
from batonbox.bench.meter import quiet

from .figures import Figures, spending
from .fixture import WRITER, conv_of, secret_of, user_of
from .targets import OURS, opened

__all__ = ["typing_figures"]

_VIEWERS: Final = 500
# Longer than the pause after a change: each is told for itself.
_PAUSE_S: Final = (0.3, 0.4)
_TOLD_S: Final = 5.0


class _Crowd:
    """What all who look have heard of the typist; `sent_s`: when the present change was written."""

    def __init__(self) -> None:
        self.digests = Digests()
        self.expected = ""
        self.sent_s = 0.0
        self.took_s: list[float] = []
        self.told = asyncio.Event()

    def begin(self, state: str) -> None:
        """A change is being written."""
        self.told.clear()
        self.took_s = []
        self.expected, self.sent_s = state, time.perf_counter()

    def heard(self, who: dict[str, str]) -> None:
        """Somebody was told of this."""
        if who.get(WRITER) == self.expected:
            self.took_s.append(time.perf_counter() - self.sent_s)
            if len(self.took_s) == _VIEWERS:
                self.told.set()


class _Looker(Lean):
    """Looks at the conversation; ready once it sees the typist there."""

    def __init__(self, address: Address, user: str, conv: str, crowd: _Crowd) -> None:
        hello = [int(Op.HELLO), secret_of(user), "bench"]
        super().__init__(address, hello=packed(hello, [int(Op.VIEWING), conv, False]))
        self._crowd = crowd

    def message(self, payload: bytes) -> None:
        for item in self._crowd.digests.of(payload):
            if isinstance(item, Run):
                continue
            if item[0] == Op.TYPING:
                if not self.ready.done() and WRITER in item[2]:
                    self.ready.set_result(None)
                self._crowd.heard(item[2])
            elif item[0] == Op.PING:
                self.write(packed([int(Op.PONG)]))


async def typing_figures(*, quick: bool) -> list[dict[str, Any]]:
    """Rows {name, unit, value, rounds}: `typing.batonbox.500.<p50|p99|cpu|wrong>`.

    p50 and p99 in ms over all deliveries of a round, `cpu` in microseconds of server and engine for
    each, `wrong` those that were not told in time.
    """
    rounds, changes = (2, 10) if quick else (5, 40)
    figures, found = Figures(), []
    async with opened(OURS) as (target,):
        conv, crowd = conv_of(0), _Crowd()
        address = Address("127.0.0.1", target.port, target.fan_path)
        typist = await target.writer()
        typist.write(packed([int(Op.VIEWING), conv, False]))
        lookers = await open_all(
            lambda _: _Looker(address, user_of(0), conv, crowd), _VIEWERS, at_once=16
        )
        with quiet():
            for number in range(rounds + 1):
                for looker in lookers:  # or the server would forget within the run who looks
                    looker.write(packed([int(Op.VIEWING), conv, False]))
                await asyncio.sleep(_PAUSE_S[1])
                with spending(target) as spent:
                    took_s = await _round(crowd, typist, conv, changes)
                if number:
                    found.append((sorted(took_s), spent.cpu_s))
        for link in (typist, *lookers):
            link.cut()
    stem = f"typing.{OURS}.{_VIEWERS}"
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        figures.add(f"{stem}.{name}", "ms", (1000 * _at(took_s, part) for took_s, _ in found))
    costs = (1e6 * cpu_s / len(took_s) for took_s, cpu_s in found)
    figures.add(f"{stem}.cpu", "us", costs)
    wrong = sum(changes * _VIEWERS - len(took_s) for took_s, _ in found)
    figures.add(f"{stem}.wrong", "", [wrong])
    return figures.rows


async def _round(crowd: _Crowd, typist: Any, conv: str, changes: int) -> list[float]:
    took_s: list[float] = []
    for number in range(changes):
        await asyncio.sleep(random.uniform(*_PAUSE_S))
        typing = number % 2 == 0
        crowd.begin("typing" if typing else "viewing")
        typist.write(packed([int(Op.VIEWING), conv, typing]))
        try:
            async with asyncio.timeout(_TOLD_S):
                await crowd.told.wait()
        except TimeoutError:
            pass  # those who were not told are counted
        took_s += crowd.took_s
    return took_s


def _at(sorted_s: list[float], part: float) -> float:
    return sorted_s[min(len(sorted_s) - 1, int(part * len(sorted_s)))]

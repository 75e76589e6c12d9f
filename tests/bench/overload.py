"""What members notice while a server is attacked: pairs of rounds, one without and one with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2

from batonbox.bench import Audience
from batonbox.bench.meter import quiet

from .fans import Case, Fan
from .figures import Figures
from .fixture import inbox_of, secret_of, user_of
from .processes import LOAD_CORE, child
from .targets import OURS, Target, ours

__all__ = ["overload_figures"]

_READERS: Final = 450
_RATE_PER_S: Final = 50.0
_SETTLED_S: Final = 60.0
# Admission as it is by default; short patience, so that the attack keeps being new.
_SETTINGS: Final[dict[str, Any]] = {
    "HANDSHAKES_PER_S": "500",
    "HELLO_TIMEOUT_S": "2",
    "HTTP_TIMEOUT_S": "2",
    "WRITE_TIMEOUT_S": "2",
}


async def overload_figures(figures: Figures, *, quick: bool) -> None:
    """`overload.batonbox.<calm|attacked>.<p50|p99>` in ms, `.ratio` of each pair's p99, `.noise`.

    From a note's write to each of 450 readers.  Attacked: 50 who stall, and strangers, dripping
    requests, exploding messages and endless subscriptions without a pause, from a process that
    takes what the load client leaves of its core; `.server`: the server's share of its own.
    """
    rounds, seconds = (2, 4.0) if quick else (5, 10.0)
    found: dict[str, list[float]] = {}
    async with ours(core=0, **_SETTINGS) as target:
        audience = Audience(timed=True)
        await target.fill(audience, _READERS)
        sender = await target.writer()
        fan = Fan(target, sender, audience, Case("overload", _READERS, 1, 1))
        with quiet():
            await _round(fan, seconds, "warm", {})
            for _ in range(rounds):
                await _round(fan, seconds, "calm", found)
                async with _attacked(target):
                    await _round(fan, seconds, "attacked", found)
                await _settled(target)
        account = fan.account()
        for link in (sender, *audience.members):
            link.close() if link is sender else link.cut()
    pairs = zip(found["attacked.p99"], found["calm.p99"], strict=True)
    for name, values in found.items():
        figures.add(f"overload.{OURS}.{name}", "ms" if ".p" in name else "%", values)
    figures.add(f"overload.{OURS}.ratio", "x", [attacked / calm for attacked, calm in pairs])
    wrong = account.lost + account.doubled + account.disordered + account.closed
    figures.add(f"overload.{OURS}.wrong", "", [wrong])


async def _round(fan: Fan, seconds: float, name: str, found: dict[str, list[float]]) -> None:
    del fan.audience.took_s[:]
    spent = await fan.paced(_RATE_PER_S, seconds)
    took_s = sorted(fan.audience.took_s)
    for what, part in (("p50", 0.5), ("p99", 0.99)):
        value = 1000 * took_s[int(part * (len(took_s) - 1))]
        found.setdefault(f"{name}.{what}", []).append(value)
    found.setdefault(f"{name}.server", []).append(100 * spent.server_s / spent.wall_s)
    found.setdefault(f"{name}.noise", []).append(100 * spent.noise)


@asynccontextmanager
async def _attacked(target: Target) -> AsyncIterator[None]:
    """Under way within the block."""
    told = (str(target.port), secret_of(user_of(0)), inbox_of(0))
    async with child("tests.bench.attacking", *told, core=LOAD_CORE) as attacking:
        assert await attacking.line() == "under way"
        yield


async def _settled(target: Target) -> None:
    """Until nobody is left but those who belong there."""
    url = f"http://127.0.0.1:{target.port}/metrics"
    async with httpx2.AsyncClient(timeout=10) as http, asyncio.timeout(_SETTLED_S):
        while f"batonbox_connections {_READERS + 1}.0" not in (await http.get(url)).text:
            await asyncio.sleep(0.2)

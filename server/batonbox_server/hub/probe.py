"""Does what is published arrive: a node speaks to itself over the engine's channel, now and then.

Feeds notice a gap when something comes after it, or at the next comparison; a channel on which
nothing arrives any more looks like one on which nothing is said. The probe tells them apart.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from batonbox_server.errors import BatonboxError
from batonbox_server.tasks import cancel_all, spawn

from .port import Channel

__all__ = ["Probe", "Told"]

_EVERY_S: Final = 5.0
_AGAIN_S: Final = 1.0  # after a failure
_TIMEOUT_S: Final = 5.0
_FAILURES: Final = 2  # in a row, after which it is no accident


@dataclass(frozen=True, slots=True)
class Told:
    """`ok`: what this node says arrives. `round_trip_s` of the last that did, `age_s` ago; None:
    none did so far."""

    ok: bool
    round_trip_s: float | None
    age_s: float | None


class Probe:
    """`start`, then `told`; the owner passes to `heard` what comes on `channel_name`."""

    def __init__(
        self,
        channel: Channel,
        *,
        name: str,
        every_s: float = _EVERY_S,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self.channel_name = name
        self.failures = 0
        self._channel = channel
        self._every_s = every_s
        self._again_s = min(_AGAIN_S, every_s)
        self._timeout_s = timeout_s
        self._failed = 0
        self._round_trip_s: float | None = None
        self._at_s = 0.0
        self._said = b""
        self._came = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin; the first answer comes within moments."""
        spawn(self._tasks, self._run(), name="channel-probe")

    async def aclose(self) -> None:
        """End."""
        await cancel_all(self._tasks)

    def heard(self, data: bytes) -> None:
        """A message on the probe's channel."""
        if data == self._said:
            self._came.set()

    def told(self) -> Told:
        """How it is now."""
        ok = self._failed < _FAILURES
        if self._round_trip_s is None:
            return Told(ok, None, None)
        return Told(ok, self._round_trip_s, perf_counter() - self._at_s)

    @property
    def counts(self) -> dict[str, float]:
        """For metrics."""
        told = self.told()
        ok, seconds = float(told.ok), told.round_trip_s or 0.0
        return {"channel_ok": ok, "channel_seconds": seconds, "channel_failures": self.failures}

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._once()
                self._failed = 0
            except (BatonboxError, TimeoutError):
                self._failed += 1
                self.failures += 1
            await asyncio.sleep(self._again_s if self._failed else self._every_s)

    async def _once(self) -> None:
        await self._channel.subscribe(self.channel_name)
        self._came.clear()
        self._said, began_s = secrets.token_bytes(8), perf_counter()  # uvloop's time is in whole ms
        await self._channel.publish(self.channel_name, self._said)
        await self._came.wait()
        self._at_s = perf_counter()
        self._round_trip_s = self._at_s - began_s

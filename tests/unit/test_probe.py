"""A node hears itself, or says that it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from batonbox_server.errors import EngineUnavailable
from batonbox_server.hub.probe import Probe
from tests.support import eventually


class Line:
    """A channel that delivers, swallows or refuses."""

    def __init__(self) -> None:
        self.heard: Callable[[bytes], None] = lambda _: None
        self.does = "delivers"
        self.said: list[bytes] = []

    async def subscribe(self, channel: str) -> None:
        """Acknowledged at once."""
        assert channel == "p"
        if self.does == "refuses":
            raise EngineUnavailable("down")

    async def unsubscribe(self, channel: str) -> None:
        """Nobody asks for it."""
        raise AssertionError(channel)

    async def publish(self, channel: str, data: bytes) -> None:
        """To whoever hears."""
        assert channel == "p"
        self.said.append(data)
        if self.does == "delivers":
            self.heard(data)
        elif self.does == "repeats":
            self.heard(self.said[0])


async def probed(line: Line, then: Callable[[Probe], Awaitable[None]]) -> None:
    probe = Probe(line, name="p", every_s=0.01, timeout_s=0.05)
    line.heard = probe.heard
    probe.start()
    try:
        await then(probe)
    finally:
        await probe.aclose()


async def test_a_node_that_hears_itself_says_how_long_it_took() -> None:
    line = Line()

    async def then(probe: Probe) -> None:
        assert probe.told().ok
        assert probe.told().round_trip_s is None
        await eventually(lambda: probe.told().round_trip_s is not None)
        told = probe.told()
        assert told.ok
        assert told.age_s is not None
        assert told.age_s < 5
        assert probe.failures == 0

    await probed(line, then)


@pytest.mark.parametrize("does", ["swallows", "refuses", "repeats"])
async def test_a_node_that_does_not_says_so_until_it_does(does: str) -> None:
    """What was said before does not count as heard, either."""
    line = Line()

    async def then(probe: Probe) -> None:
        await eventually(lambda: len(line.said) > 1)
        line.does = does
        await eventually(lambda: not probe.told().ok)
        assert probe.counts["channel_ok"] == 0
        assert probe.failures >= 2
        line.does = "delivers"
        await eventually(lambda: probe.told().ok)

    await probed(line, then)


async def test_one_failure_is_an_accident() -> None:
    line = Line()
    line.does = "swallows"
    probe = Probe(line, name="p", every_s=60, timeout_s=0.01)
    probe.start()
    await eventually(lambda: probe.failures == 1)
    assert probe.told().ok
    await probe.aclose()
    await asyncio.sleep(0)

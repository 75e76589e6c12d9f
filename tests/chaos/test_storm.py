"""Everybody is dropped at once and comes back at once: nothing is lost, and the engine is spared.

What has to be read is read once per person, or once per place in the log, however many connections
ask for it; their tokens are known to the node.
"""

from __future__ import annotations

import time
from collections import Counter

import pytest

from batonbox.bench import raise_file_limit
from batonbox_server.engine import EmbeddedEngine

from .storm import INBOX, Crowd, commands_of, crowd

RING = 32  # events; whoever misses more reads the log
ASIDE = 60  # scripts that are the same for any crowd
BY_ITSELF = 10  # that the node runs in a second, for nobody


async def returns(they: Crowd, *, missing: int) -> tuple[Counter[str], float]:
    """Drop everybody, let something happen, let them back; what the engine did, in which time."""
    they.drop()
    await they.gone()
    last = await they.texts(missing)
    before, began_s = await commands_of(they.site), time.monotonic()
    await they.come()
    assert await they.audience.until({INBOX: last}, timeout_s=120)
    asked = await commands_of(they.site)
    asked.subtract(before)
    account = they.audience.account({INBOX: last})
    assert account.right, account
    assert account.resets == 0
    return asked, time.monotonic() - began_s


async def storms(engine: EmbeddedEngine, *, users: int, connections: int) -> None:
    """One after a short absence, one after a long one."""
    settings = {"ring_events": RING, "handshakes_per_s": 4000.0}
    async with crowd(engine, users=users, connections=connections, **settings) as they:
        await they.texts(3)
        await they.come()
        for missing in (5, 3 * RING):
            asked, seconds = await returns(they, missing=missing)
            scripts = asked["fcall"] + asked["fcall_ro"]
            most = 3 * users + ASIDE + BY_ITSELF * seconds
            assert users <= scripts <= most, asked
            assert asked["xrange"] <= ASIDE, asked


async def test_a_crowd_comes_back_at_once_and_the_engine_is_asked_by_person_and_place(
    engine: EmbeddedEngine,
) -> None:
    await storms(engine, users=15, connections=300)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_ten_thousand_come_back_at_once(engine: EmbeddedEngine) -> None:
    # Both ends of each connection are open files of this process.
    connections = min(10_000, (raise_file_limit() - 500) // 2)
    await storms(engine, users=200, connections=connections)

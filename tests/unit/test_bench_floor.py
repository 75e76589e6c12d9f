"""The benchmarks' yardstick in C delivers what it is given: a floor that loses is none."""

from __future__ import annotations

import shutil

import pytest

from batonbox.bench import Audience, open_one
from batonbox.bench.meter import until
from tests.bench.targets import floor

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


async def test_every_subscriber_of_a_channel_gets_its_events_and_nobody_else() -> None:
    async with floor(inboxes=2) as target:
        audience = Audience()
        await target.fill(audience, 6)
        sender = await target.writer()
        for number in range(500):
            args = {"conv": f"i000{number % 2}.c", "cid": f"c{number}", "text": "x" * number}
            sender.command("note", args, lambda frame: None)
        assert await until(lambda: audience.total == 1500, timeout_s=10)
        upto = {"i0000": 250, "i0001": 250}
        account = audience.account(upto)
        for link in (*audience.members, sender):
            link.cut()
    assert account.right and account.delivered == 1500


async def test_a_subscriber_that_leaves_takes_nothing_from_the_others() -> None:
    async with floor() as target:
        audience = Audience()
        await target.fill(audience, 3)
        audience.members.pop(1).cut()
        sender = await target.writer()
        sender.command(
            "note", {"conv": "i0000.c", "cid": "c", "text": "x" * 70}, lambda frame: None
        )
        assert await until(lambda: audience.total == 2, timeout_s=10)
        late = await open_one(lambda: target.subscriber(0, audience))
        assert late.ready.done()
        for link in (*audience.members, sender, late):
            link.cut()

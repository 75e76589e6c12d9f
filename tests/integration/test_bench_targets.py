"""What the benchmarks measure does what it is measured for: the server's frames, the naive loop."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from batonbox.bench import Address, Audience, Lean, masked, open_one
from batonbox.bench.commands import Worker
from batonbox.bench.meter import until
from tests.bench.fixture import conv_of, inbox_of, user_of
from tests.bench.frames import CHANNEL, frames
from tests.bench.targets import Target, naive, ours

TEXT = b"~E~" + b"e" * 197


class Spelled(Lean):
    """Sends what a client without a codec sends: bytes spelled beforehand."""

    def __init__(self, target: Target, hello: bytes, awaited: bytes) -> None:
        super().__init__(Address("127.0.0.1", target.port, target.fan_path), hello=masked(hello))
        self.heard = b""
        self._awaited = awaited

    def message(self, payload: bytes) -> None:
        self.heard += payload
        if self._awaited in self.heard and not self.ready.done():
            self.ready.set_result(None)


def spelled(data: bytes, number: int) -> bytes:
    serial = b"%SEQ%SEQ%SEQ%SEQ"
    return data.replace(CHANNEL.encode(), b"%04d" % number).replace(serial, b"0123456789abcdef")


async def test_frames_spelled_beforehand_are_those_of_the_server() -> None:
    told = frames(len(TEXT))
    async with ours(inboxes=2) as target:
        hello = spelled(told.subscribe, 1)
        listener = await open_one(lambda: Spelled(target, hello, told.subscribed))
        writer = await open_one(lambda: Spelled(target, told.sign_in, told.signed_in))
        before, listener.heard = listener.heard, b""
        writer.write(masked(spelled(told.before, 1) + TEXT))
        assert await until(lambda: TEXT in listener.heard, timeout_s=10)
        assert await until(lambda: told.written in writer.heard, timeout_s=10)
        for link in (listener, writer):
            link.cut()
    assert inbox_of(1).encode() in before and TEXT not in before
    assert listener.heard.count(TEXT) == 1


def test_what_a_target_takes_is_its_processes_and_its_engines() -> None:
    here = (os.getpid(),)
    for pids, engine in ((here, ()), ((), here)):
        target = Target("x", 0, pids, engine, "")
        assert target.cpu_s > 0
        assert target.rss_bytes > 0
    assert Target("x", 0, (), (), "").cpu_s == 0


@pytest.mark.parametrize("serving", [ours, naive])
async def test_servers_deliver_and_change_hands_in_the_same_words(
    serving: Callable[..., Any],
) -> None:
    async with serving(inboxes=2) as target:
        audience = Audience()
        await target.fill(audience, 4)
        # Half of them at each, or as many deliveries would be of one inbox alone.
        followed = sorted(inbox for member in audience.members for inbox in member.tallies)
        assert followed == [inbox_of(0)] * 2 + [inbox_of(1)] * 2
        assert target.pids and target.engine and not set(target.pids) & set(target.engine)
        writer = await target.writer()
        tops: dict[str, int] = {}
        for number in range(20):
            args = {"conv": conv_of(number % 2), "text": "hello", "cid": f"c{number}"}
            writer.command(
                "note", args, lambda frame: tops.update({frame[2]["inbox"]: frame[2]["seq"]})
            )
        assert await until(lambda: audience.total == 40, timeout_s=10)
        account = audience.account(tops)
        assert account.right and account.delivered == 40, account
        commander = await open_one(lambda: target.commander(user_of(0), path=target.command_path))
        worker = Worker(commander, conv_of(0), run="turns")
        worker.begin()
        assert await until(lambda: len(worker.took_s) > 9, timeout_s=10), worker.failed
        worker.stop()
        assert await until(lambda: worker.idle, timeout_s=10)
        for link in (*audience.members, writer, commander):
            link.cut()

"""Who looks and types: told at once after a quiet moment, then together, and encoded once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox_server import wire
from batonbox_server.hub import watching
from batonbox_server.hub.flushing import Flush
from batonbox_server.hub.frames import Look
from batonbox_server.hub.port import VIEWING
from batonbox_server.hub.seated import SeatedFollower
from batonbox_server.hub.viewer import Seat, Sink, Viewer
from batonbox_server.hub.watching import Watching
from batonbox_server.tasks import cancel_all
from tests.support import eventually

CONV = "sales.1"


class Desk:
    """A node's `Watching`, whoever looks from it, and what it said to the other nodes."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.tasks: set[asyncio.Task[Any]] = set()
        self.watching = Watching(self._publish, self.tasks)

    async def _publish(self, _: str, data: bytes) -> None:
        self.said.append(msgpack.unpackb(data[len(VIEWING) :])[2])

    def seat(self, user: str, codec: str = wire.MSGPACK_SUBPROTOCOL) -> Seat:
        """A connection of the user at the inbox."""
        viewer = Viewer(
            user, codec, write=lambda _: None, sink=cast(Sink, None), flush=cast(Flush, self)
        )
        return Seat(viewer, cast(SeatedFollower, SimpleNamespace(channel="channel")))

    def viewer(self, _: Viewer) -> None:
        """In place of the hub's turn: what is queued stays until the test takes it."""

    def look(self, seat: Seat, *, typing: bool = False) -> None:
        self.watching.look(seat, CONV, typing=typing)


def unread(seat: Seat) -> list[Any]:
    """What the connection was told since it was asked last, newest only."""
    data = seat.viewer.take(1 << 20)
    return [f[2] for f in wire.decode(data, seat.viewer.subprotocol)] if data else []


@pytest.fixture
async def desk() -> Any:
    it = Desk()
    yield it
    it.watching.close()
    await cancel_all(it.tasks)


async def test_the_first_change_is_told_at_once_and_the_next_ones_together(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = desk.seat("ana"), desk.seat("ben")
    monkeypatch.setattr(watching, "_EVERY_S", 0.0)
    desk.look(ana)
    desk.look(ben)
    assert unread(ana) == [{"ben": "viewing"}]  # nothing was awaited
    assert unread(ben) == [{"ana": "viewing"}]
    monkeypatch.setattr(watching, "_EVERY_S", 0.2)
    await asyncio.sleep(0.25)
    desk.look(ben, typing=True)
    assert unread(ana) == [{"ben": "typing"}]
    desk.look(ben)
    desk.look(ben, typing=True)
    desk.look(ben)
    assert unread(ana) == []
    await eventually(lambda: ana.viewer._latest)
    assert unread(ana) == [{"ben": "viewing"}]


async def test_other_nodes_are_told_at_once_too_and_a_question_is_answered_at_once(
    desk: Desk,
) -> None:
    ana = desk.seat("ana")
    desk.look(ana)
    await eventually(lambda: desk.said == [{"ana": "viewing"}, None])
    desk.watching.heard("sales", Look("other", CONV, None))
    await eventually(lambda: desk.said[2:] == [{"ana": "viewing"}])


async def test_those_who_are_told_the_same_share_one_frame_and_typing_comes_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_EVERY_S", 0.0)
    codecs = (wire.MSGPACK_SUBPROTOCOL, wire.JSON_SUBPROTOCOL)
    seats = [desk.seat(f"u{n:03}", codecs[n % 2]) for n in range(200)]
    for seat in seats:
        desk.look(seat)
    for seat in seats:
        unread(seat)
    desk.look(seats[199], typing=True)
    frames = [frame for seat in seats for frame in (seat.viewer._latest or {}).values()]
    assert len(frames) == 199  # all but the one who types and is told nothing new
    assert len({id(frame) for frame in frames}) <= watching._TOLD_MOST + 2
    for seat in seats[:199]:
        (who,) = unread(seat)
        assert len(who) == watching._TOLD_MOST
        assert seat.viewer.user not in who
        assert next(iter(who.items())) == ("u199", "typing")


async def test_a_crowd_that_is_dropped_at_once_costs_one_change_and_not_one_each(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays = desk.seat("stays")
    seats = [desk.seat(f"u{n:03}") for n in range(300)]
    with monkeypatch.context() as patched:
        patched.setattr(watching, "_EVERY_S", 0.0)
        for seat in (stays, *seats):
            desk.look(seat)
    unread(stays)
    told: list[Any] = []
    tell = watching._tell

    def telling(*of: Any) -> bool:
        told.append(of)
        return tell(*of)

    monkeypatch.setattr(watching, "_tell", telling)
    await eventually(lambda: not desk.watching._unsent)
    before = len(desk.said)
    for seat in seats:
        desk.watching.left(seat)
    await eventually(lambda: unread(stays) == [{}])
    assert len(told) <= 2
    assert len(desk.said) - before <= 2


async def test_who_comes_and_goes_without_end_is_said_at_the_pace_of_the_conversation(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_EVERY_S", 60.0)
    ana = desk.seat("ana")
    desk.look(ana)
    await eventually(lambda: len(desk.said) == 2)
    desk.watching._rooms[CONV].flushed_s = watching._NEVER_S  # it was quiet for a while
    for _ in range(50):
        desk.watching.away(ana.viewer)
        await asyncio.sleep(0.001)
        desk.look(ana)
        await asyncio.sleep(0.001)
    assert desk.said[2:] == [{}]


async def test_what_is_said_again_changes_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_EVERY_S", 0.0)
    ana, ben = desk.seat("ana"), desk.seat("ben")
    for seat in (ana, ben):
        desk.look(seat)
    unread(ana)
    looked_through: list[Any] = []
    monkeypatch.setattr(desk.watching, "_flush", lambda *of: looked_through.append(of))
    desk.look(ben)
    assert unread(ana) == []
    assert looked_through == []


async def test_nothing_is_kept_of_a_conversation_that_nobody_looks_at(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_SWEEP_S", 0.05)
    monkeypatch.setattr(watching, "_EVERY_S", 0.02)
    ana = desk.seat("ana")
    desk.look(ana)
    desk.watching.away(ana.viewer)
    await eventually(lambda: not desk.watching._rooms)
    assert desk.watching._looking == {}
    await eventually(lambda: desk.watching._sweeper is None)

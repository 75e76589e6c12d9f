"""However much there is to do at once, a turn of the loop does a little of it, and all is done."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from batonbox.bench import masked
from batonbox_server.asgi.paced import Paced
from batonbox_server.asgi.transport import WebSocketTransport
from batonbox_server.asgi.upgrade import ACCEPT, Upgrade
from batonbox_server.asgi.wheel import Wheel
from batonbox_server.session.limits import SessionLimits
from batonbox_server.session.session import Session
from batonbox_server.session.steps import Shut
from batonbox_server.wire import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, Close
from tests.chaos.attack import upgrade
from tests.support import eventually

_PING = 0x89


async def test_pieces_take_turns_in_their_order_and_one_that_fails_stops_no_other() -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    paced, done, turns = Paced(3), list[int](), list[int]()

    def piece(number: int) -> None:
        done.append(number)
        if number == 4:
            raise ValueError
        if number < 10:
            paced.add(lambda: piece(number + 10))

    for number in range(10):
        paced.add(lambda n=number: piece(n))  # type: ignore[misc]
    assert done == []
    while len(done) < 19:
        before = len(done)
        await asyncio.sleep(0)
        turns.append(len(done) - before)
    assert done == [*range(10), *(number + 10 for number in range(10) if number != 4)]
    assert max(turns) == 3
    paced.add(lambda: piece(20))
    await asyncio.sleep(0)
    assert done[-1] == 20


class _Wire:
    """A transport's end that counts."""

    def __init__(self) -> None:
        self.reading, self.closed, self.written = True, False, 0

    def write(self, data: bytes) -> None:
        self.written += len(data)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self.closed = True


class _Peer:
    def __init__(self) -> None:
        self.got: list[bytes | str] = []

    def received(self, message: bytes | str, /) -> None:
        self.got.append(message)

    def stalled(self) -> None: ...

    def drained(self) -> None: ...

    def lost(self) -> None: ...


def _opened(turns: Paced) -> tuple[WebSocketTransport, _Peer, _Wire]:
    wire, peer = _Wire(), _Peer()
    transport = WebSocketTransport(cast(Any, wire), text=False, max_bytes=1 << 20, turns=turns)
    transport.attach(peer)
    transport.trust()
    return transport, peer, wire


@pytest.mark.parametrize(("size", "at_once"), [(8, 32), (4000, 5)])
async def test_what_one_connection_sends_at_once_is_taken_in_parts(size: int, at_once: int) -> None:
    turns = Paced(1)
    greedy = [_opened(turns) for _ in range(3)]
    sent = [b"%08d" % number * (size // 8) for number in range(200)]
    for transport, peer, wire in greedy:
        transport.data_received(b"".join(map(masked, sent)))
        assert len(peer.got) == at_once
        assert not wire.reading
    modest, heard, _ = _opened(turns)
    modest.data_received(masked(b"me"))
    assert heard.got == [b"me"]
    while any(len(peer.got) < len(sent) for _, peer, _ in greedy):
        before = sum(len(peer.got) for _, peer, _ in greedy)
        await asyncio.sleep(0)
        # One part of one of them, whatever their number.
        assert 0 < sum(len(peer.got) for _, peer, _ in greedy) - before <= at_once
    for _, peer, wire in greedy:
        assert peer.got == sent
        assert wire.reading


async def test_who_is_held_or_lost_while_it_waits_for_its_turn_goes_on_only_when_let() -> None:
    transport, peer, wire = _opened(Paced(1))
    transport.data_received(masked(b"x") * 40)
    transport.hold()
    for _ in range(3):
        await asyncio.sleep(0)
    assert (len(peer.got), wire.reading) == (32, False)
    transport.release()
    assert (len(peer.got), wire.reading) == (40, True)
    transport.data_received(masked(b"x") * 40)
    transport.release()  # nothing was held: it is not its turn
    transport.resume_writing()
    transport.data_received(masked(b"x"))
    assert (len(peer.got), wire.reading) == (72, False)
    transport.connection_lost(None)
    await asyncio.sleep(0)
    assert (len(peer.got), wire.reading) == (72, False)


async def test_a_flood_of_pings_is_answered_in_parts_and_ends() -> None:
    transport, _, wire = _opened(Paced(1))
    transport.data_received(masked(b"x", _PING) * 5000)
    assert wire.written == 32 * 3
    await eventually(lambda: wire.closed)
    assert 1000 * 3 <= wire.written < 1100 * 3


class _State:
    """uvicorn's, of one server."""

    def __init__(self) -> None:
        self.connections: set[Any] = set()
        self.tasks: set[Any] = set()


class _Dialled(_Wire):
    """A transport's end on which a websocket is asked for."""

    def get_extra_info(self, name: str) -> None: ...

    def set_protocol(self, protocol: asyncio.Protocol) -> None: ...


async def test_of_many_handshakes_at_once_two_are_answered_in_a_turn() -> None:
    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        assert scope["extensions"][ACCEPT](MSGPACK_SUBPROTOCOL) is not None

    config = SimpleNamespace(loaded_app=app, root_path="", asgi_version="3.0", ws_max_size=1 << 20)
    state, wires = _State(), [_Dialled() for _ in range(5)]
    for wire in wires:
        one = Upgrade(config, state, {})
        one.connection_made(cast(Any, wire))
        one.data_received(upgrade())
    answered = []
    for _ in range(4):
        answered.append(sum(wire.written > 0 for wire in wires))
        await asyncio.sleep(0)
    assert answered == [0, 2, 4, 5]
    assert not state.connections


class _Due:
    slot = 0

    def __init__(self) -> None:
        self.due_ms, self.ticked = 1000, 0

    def tick(self, now_ms: int) -> None:
        self.ticked += 1
        self.due_ms = now_ms + 10_000


def test_of_all_who_are_due_at_once_so_many_are_looked_at_and_nobody_is_left_out() -> None:
    wheel = Wheel(0)
    members = [_Due() for _ in range(100)]
    for member in members:
        wheel.add(member)
    assert wheel.turn(2000, at_most=40)
    assert sum(member.ticked for member in members) == 40
    for member in [one for one in members if not one.ticked][:10]:
        wheel.remove(member)
    assert wheel.turn(2000, at_most=40)
    assert not wheel.turn(2000, at_most=40)
    assert [sum(one.ticked == times for one in members) for times in (0, 1)] == [10, 90]
    assert not wheel.turn(11_000, at_most=200)
    assert not wheel.turn(13_000, at_most=200)
    assert sum(one.ticked == 2 for one in members) == 90


@pytest.mark.parametrize("subprotocol", [MSGPACK_SUBPROTOCOL, JSON_SUBPROTOCOL])
def test_a_message_of_more_frames_than_would_fill_it_is_not_read_to_its_end(
    subprotocol: str,
) -> None:
    def steps(count: int) -> list[Any]:
        limits = SessionLimits(pre_auth_max_bytes=1 << 20)
        session = Session(subprotocol=subprotocol, limits=limits, now_ms=0)
        as_json = subprotocol == JSON_SUBPROTOCOL
        return list(session.receive("[6]\n" * count if as_json else b"\x91\x06" * count, 0))

    assert steps(4096) == [Shut(Close.UNAUTHORIZED, "the first frame must be HELLO")]
    assert steps(4097) == [Shut(Close.BAD_FRAME, "more than 4096 frames in one message")]

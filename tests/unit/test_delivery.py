"""One callback per turn writes for all: shared bytes, in order, once, and nobody waits long."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from batonbox_server.hub.flushing import Flush
from batonbox_server.hub.follower import Limits, Reads
from batonbox_server.hub.frames import Published
from batonbox_server.hub.framing import BINARY, framed
from batonbox_server.hub.inbox import InboxFollower
from batonbox_server.hub.viewer import Seat, Viewer
from batonbox_server.wire import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, decode, encode


class Client:
    """What one connection was given, message by message."""

    def __init__(self, user: str, flush: Flush, subprotocol: str = MSGPACK_SUBPROTOCOL) -> None:
        self.messages: list[bytes] = []
        self.flushes = self.faults = 0
        self.viewer = Viewer(user, subprotocol, write=self.messages.append, sink=self, flush=flush)

    def overflow(self) -> None:
        raise AssertionError("far from it")

    def flushed(self) -> None:
        self.flushes += 1

    def failed(self) -> None:
        self.faults += 1

    @property
    def seqs(self) -> list[int]:
        """Of the events, in the order in which they came."""
        return [frame[2] for frame in self.frames() if frame[0] == 20]

    def frames(self) -> list[Any]:
        """Everything, decoded."""
        text = self.viewer.subprotocol == JSON_SUBPROTOCOL
        bare = [message[_head(message) :] for message in self.messages]
        data: list[Any] = [one.decode() if text else one for one in bare]
        return [frame for one in data for frame in decode(one, self.viewer.subprotocol)]


def _head(message: bytes) -> int:
    return {126: 4, 127: 10}.get(message[1], 2)


class Box:
    """An inbox as a node follows it, and its listeners."""

    def __init__(self, **limits: Any) -> None:
        nothing: Any = None
        self.flush = Flush(limits.get("write_batch_bytes", 65536))
        self.follower = InboxFollower(
            Reads(nothing, nothing, Limits(**limits), self.flush), inbox="box", log="", channel="",
            on_moved=lambda _: None, watching=nothing,
        )  # fmt: skip
        self.follower.ring.restart(0, "tip0")

    def listener(self, user: str = "ann", subprotocol: str = MSGPACK_SUBPROTOCOL) -> Client:
        """Of a member, at the end of the log."""
        client = Client(user, self.flush, subprotocol)
        self.follower._member_at[user] = 0
        seat = Seat(client.viewer, self.follower)
        client.viewer.seats["box"] = seat
        self.follower._deliver_from(seat, self.follower.ring.last)
        return client

    def append(self, *, size: int = 10) -> int:
        """The next event."""
        seq = self.follower.ring.last + 1
        event = [20, "box", seq, {"type": "x"}, "b" * size, f"tip{seq}"]
        frame = encode(event, MSGPACK_SUBPROTOCOL)
        self.follower.ring.append(Published.of(f"tip{seq - 1}", frame))
        self.follower.delivery.due()
        return seq


async def turns(count: int = 8) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_equal_cursors_get_the_very_same_bytes() -> None:
    box = Box()
    clients = [box.listener() for _ in range(5)]
    words = [box.listener(subprotocol=JSON_SUBPROTOCOL) for _ in range(2)]
    await turns()
    for _ in range(3):
        box.append()
    await turns()
    assert [client.seqs for client in clients + words] == [[1, 2, 3]] * 7
    assert all(client.messages[0] is clients[0].messages[0] for client in clients)
    assert words[1].messages[0] is words[0].messages[0] is not clients[0].messages[0]
    assert {len(client.messages) for client in clients} == {1}


async def test_a_big_rooms_round_holds_up_nobody_elses_answer() -> None:
    box = Box()
    crowd = [box.listener() for _ in range(5000)]
    other = Client("bob", box.flush)
    await turns(20)
    box.append()
    for _ in range(2):  # the first part of the round
        await asyncio.sleep(0)
    other.viewer.send([17, 1, {}])
    while not other.messages:
        await asyncio.sleep(0)
    assert 0 < sum(bool(client.messages) for client in crowd) < 5000
    await turns(20)
    assert all(client.seqs == [1] for client in crowd)


async def test_events_that_come_during_a_round_reach_everybody_once_and_in_order() -> None:
    rng = random.Random(7)
    box = Box(ring_events=50_000)
    crowd = [box.listener(rng.choice(["ann", "bob"])) for _ in range(3000)]
    for _ in range(60):
        for _ in range(rng.randrange(4)):
            box.append()
        for client in rng.sample(crowd, 5):
            client.viewer.stalled = not client.viewer.stalled
            client.viewer.wake()
        await asyncio.sleep(0)
    for client in crowd:
        client.viewer.stalled = False
        client.viewer.wake()
    await turns(200)
    wanted = list(range(1, box.follower.ring.last + 1))
    assert all(client.seqs == wanted for client in crowd)


async def test_who_stalls_is_written_nothing_and_then_everything() -> None:
    box = Box()
    slow, quick = box.listener(), box.listener()
    await turns()
    slow.viewer.stalled = True
    for _ in range(3):
        box.append()
        slow.viewer.send([17, box.follower.ring.last, {}])
        await turns()
    assert (slow.messages, slow.flushes) == ([], 1)
    assert quick.seqs == [1, 2, 3]
    slow.viewer.stalled = False
    slow.viewer.wake()
    await turns()
    assert [frame[:2] for frame in slow.frames()] == [[17, 1], [17, 2], [17, 3], *[[20, "box"]] * 3]
    assert (slow.seqs, len(slow.messages)) == ([1, 2, 3], 1)


async def test_what_was_queued_before_goes_before_the_events() -> None:
    """A snapshot that waits in the queue is not overtaken by what continues it."""
    box = Box()
    client = box.listener()
    await turns()
    client.viewer.send([19, "box", "the snapshot"])
    box.append()
    await turns()
    assert [frame[0] for frame in client.frames()] == [19, 20]
    assert len(client.messages) == 1


async def test_who_is_no_member_now_gets_nothing_until_they_are_known_to_be() -> None:
    box = Box()
    ann, bob = box.listener("ann"), box.listener("bob")
    await turns()
    del box.follower._member_at["bob"]
    box.append()
    await turns()
    assert (ann.seqs, bob.seqs) == ([1], [])
    box.follower._member_at["bob"] = 1
    box.follower.delivery.due()
    await turns()
    assert bob.seqs == [1]


async def test_a_batch_is_bounded_and_the_rest_follows_in_the_same_turn() -> None:
    box = Box(write_batch_bytes=4000)
    client = box.listener()
    await turns()
    for _ in range(20):
        box.append(size=1000)
    await turns()
    assert client.seqs == list(range(1, 21))
    assert max(map(len, client.messages)) < 2 * 4000


async def test_a_transport_that_fails_takes_nobody_with_it() -> None:
    box = Box()
    clients = [box.listener() for _ in range(3)]
    await turns()

    def closed(_: bytes) -> None:
        raise RuntimeError("unable to perform operation on a closed transport")

    clients[0].viewer.write = clients[1].viewer.write = closed
    box.append()
    clients[1].viewer.send([17, 1, {}])
    await turns()
    assert [client.seqs for client in clients] == [[], [], [1]]
    assert clients[0].viewer.stalled
    assert clients[1].viewer.stalled
    box.append()
    await turns()
    assert [client.seqs for client in clients] == [[], [], [1, 2]]


async def test_an_event_that_one_codec_cannot_tell_costs_the_other_nothing() -> None:
    box = Box()
    words = [box.listener(subprotocol=JSON_SUBPROTOCOL) for _ in range(2)]
    client = box.listener()
    await turns()
    frame = encode([20, "box", 1, {"type": "x"}, "no text", "tip1"], MSGPACK_SUBPROTOCOL)
    frame = frame.replace(b"no text", b"no \xff\xff\xff\xff")
    box.follower.ring.append(Published.of("tip0", frame))
    box.follower.delivery.due()
    await turns()
    assert client.messages[-1] == framed(frame, text=False)
    assert [word.faults for word in words] == [1, 1]
    assert [word.messages for word in words] == [[], []]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 70000])
def test_a_message_is_framed_as_the_library_frames_it(size: int) -> None:
    from websockets.frames import Frame, Opcode

    data = bytes(size)
    assert framed(data, text=False) == Frame(Opcode.BINARY, data).serialize(mask=False)
    assert framed(data, text=True) == Frame(Opcode.TEXT, data).serialize(mask=False)
    assert framed(data, text=False)[0] == BINARY


async def test_answers_and_events_of_a_turn_leave_in_one_message_at_its_end() -> None:
    box = Box()
    client, loop = box.listener(), asyncio.get_running_loop()
    await turns()
    client.messages.clear()
    loop.call_soon(client.viewer.send, [17, 1, {}])  # somebody who waited for a reply
    box.flush.soon()
    box.append()
    assert client.messages == []
    await asyncio.sleep(0)
    assert [frame[0] for frame in client.frames()] == [17, 20]
    assert len(client.messages) == 1


@pytest.mark.parametrize("due", [False, True])
async def test_patience_holds_for_the_next_turn_and_no_other(due: bool) -> None:
    """What signs in is welcomed in one message with what the same one of its messages began."""
    box = Box()
    client, loop = Client("ann", box.flush), asyncio.get_running_loop()
    if due:
        box.flush.soon()
    box.flush.patiently()
    client.viewer.send([2, 1])
    loop.call_soon(client.viewer.send, [17, 1, {}])
    await turns(2)
    assert [[frame[0] for frame in client.frames()], len(client.messages)] == [[2, 17], 1]
    client.viewer.send([17, 2, {}])
    await asyncio.sleep(0)
    assert len(client.messages) == 2

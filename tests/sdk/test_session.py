"""The sans-I/O session: golden frames, and contiguity under duplicates, gaps and resets."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from batonbox import Position
from batonbox._session import Applied, Received, Reset, Session, Snapped, Subscribed
from batonbox._wire import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, Op, decode, encode
from tests.sdk.scripted import event, snap

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "frames.json").read_text())


def live_at(seq: int) -> Session:
    session = Session()
    session.follow("sales")
    session.opening()
    session.receive(snap(seq))
    session.outgoing.clear()
    return session


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_both_codecs_say_what_the_golden_frames_say(vector: dict[str, Any]) -> None:
    packed = bytes.fromhex(vector["msgpack_hex"])
    assert decode(packed, MSGPACK_SUBPROTOCOL) == [vector["frame"]]
    assert decode(vector["json"], JSON_SUBPROTOCOL) == [vector["frame"]]
    assert encode(vector["frame"], MSGPACK_SUBPROTOCOL) == packed
    assert encode(vector["frame"], JSON_SUBPROTOCOL).decode() == vector["json"]


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v["frame"][0] >= 16], ids=lambda v: v["name"]
)
def test_a_session_takes_every_frame_a_server_may_send(vector: dict[str, Any]) -> None:
    happenings = live_at(6).receive(vector["frame"])
    known = {Op.EV: Applied, Op.RESET: Reset, Op.SNAP: Snapped}
    expected = known.get(vector["frame"][0])
    if expected is not None:
        assert any(isinstance(h, expected) for h in happenings)


def test_a_fresh_subscription_has_no_position_and_a_resumed_one_has() -> None:
    session = Session()
    session.follow("sales")
    session.opening()
    assert [f[2] for f in session.outgoing] == [[["sales", "list"]]]
    session.receive(snap(7))
    session.opening()
    assert [f[2] for f in session.outgoing] == [[["sales", "list", "e1", 7, "tip7"]]]


def test_events_before_the_snapshot_do_not_count() -> None:
    session = Session()
    session.follow("sales")
    session.opening()
    assert session.receive(event(1)) == []
    assert session.position("sales") is None


def test_the_next_event_is_applied_once() -> None:
    session = live_at(7)
    assert [h.seq for h in session.receive(event(8)) if isinstance(h, Applied)] == [8]
    assert session.receive(event(8)) == []
    assert session.position("sales") == Position("e1", 8, "tip8")


def test_a_gap_is_told_and_asks_for_a_snapshot() -> None:
    session = live_at(7)
    assert session.receive(event(9)) == [Reset("sales", "gap")]
    assert session.outgoing[0][2] == [["sales", "list"]]
    assert session.receive(event(10)) == []
    assert Subscribed("sales") in session.receive(snap(10))
    assert [type(h) for h in session.receive(event(11))] == [Applied]


def test_a_reset_forgets_the_position_until_the_snapshot() -> None:
    session = live_at(7)
    assert session.receive([int(Op.RESET), "sales", "fork", ["c1"]]) == [
        Reset("sales", "fork", ("c1",))
    ]
    assert session.receive(event(8)) == []
    session.receive(snap(3, epoch="e2"))
    assert session.position("sales") == Position("e2", 3, "tip3")


def test_an_older_snapshot_does_not_turn_back() -> None:
    session = live_at(7)
    session.receive(event(8))
    assert session.receive(snap(7)) == []
    assert session.position("sales") == Position("e1", 8, "tip8")


def test_a_ping_is_answered_with_what_was_applied() -> None:
    session = live_at(7)
    session.receive([int(Op.PING)])
    assert session.outgoing == [[int(Op.PONG), [["sales", 7]]]]


def test_an_answer_to_a_request_that_is_no_subscription_is_passed_on() -> None:
    session = live_at(7)
    assert [type(h).__name__ for h in session.receive([int(Op.OK), 99, {}])] == ["Answered"]
    assert [type(h) for h in session.receive([200, "later"])] == [Received]


@pytest.mark.parametrize("seed", range(40))
def test_between_resets_events_are_contiguous_whatever_the_order(seed: int) -> None:
    draw = random.Random(seed)
    session = live_at(0)
    told: list[int] = []
    applied = top = 0
    for _ in range(400):
        step = draw.random()
        if step < 0.6:
            top += 1
            frame = event(top if draw.random() < 0.9 else max(1, top - draw.randrange(5)))
        elif step < 0.7:
            frame = event(max(1, top - draw.randrange(10)))
        elif step < 0.75:
            frame = [int(Op.RESET), "sales", "trimmed", []]
        else:
            frame = snap(top)
        for happening in session.receive(frame):
            if isinstance(happening, Reset):
                told.clear()
            elif isinstance(happening, Snapped):
                applied = happening.position.seq
            elif isinstance(happening, Applied):
                assert not told or happening.seq == told[-1] + 1
                assert happening.seq == applied + 1
                applied = happening.seq
                told.append(applied)
    session.receive(snap(top))
    position = session.position("sales")
    assert position is not None
    assert position.seq == top


def test_what_an_earlier_subscription_still_brings_is_no_gap_while_it_goes_back() -> None:
    session = live_at(9)
    session.unfollow("sales")
    session.follow("sales", since=Position("e1", 5, "tip5"))
    session.subscribe(["sales"])
    request = session.outgoing[-1][1]
    assert session.outgoing[-1] == [Op.SUB, request, [["sales", "list", "e1", 5, "tip5"]]]
    assert session.receive(event(10)) == [], "of before"
    (six,) = session.receive(event(6))
    assert isinstance(six, Applied)
    assert session.receive([Op.OK, request, {"subs": []}]) == [Subscribed("sales")]
    assert session.receive(event(6)) == []
    assert session.receive(event(8)) == [Reset("sales", "gap")], "from here on it is one"


def test_only_who_goes_back_hears_of_an_earlier_subscription() -> None:
    back = live_at(9)
    back.follow("sales", since=Position("e1", 5, "tip5"))
    back.subscribe(["sales"])
    back.receive([Op.ERR, back.outgoing[-1][1], 130, "unavailable", "later"])
    assert back.receive(event(8)) == [Reset("sales", "gap")], "it did not go back"
    moved = live_at(9)
    moved.follow("sales", since=Position("e1", 5, "tip5"))
    moved.opening()
    assert moved.receive(event(8)) == [Reset("sales", "gap")], "a connection of its own"

"""The session, sans-I/O: what each frame and each silence turns into."""

from __future__ import annotations

from typing import Any

import pytest

from batonbox_server import wire
from batonbox_server.session.limits import Gcra, SessionLimits
from batonbox_server.session.ports import Principal
from batonbox_server.session.session import Session
from batonbox_server.session.steps import Answer, Run, Shut, Step
from batonbox_server.wire import Close, Op

LIMITS = SessionLimits(commands_per_s=1000, commands_burst=1000)
T0 = 1_000_000


def signed_in(limits: SessionLimits = LIMITS, *, exp_ms: int = 0) -> Session:
    session = Session(subprotocol=wire.JSON_SUBPROTOCOL, limits=limits, now_ms=T0)
    assert isinstance(say(session, [Op.HELLO, "tok", ""])[0], wire.Hello)
    rate = Gcra(per_s=limits.commands_per_s, burst=limits.commands_burst)
    session.signed_in(Principal("ann", "member", exp_ms=exp_ms), limits=limits, rate=rate)
    return session


def say(session: Session, *frames: list[Any], at_ms: int = T0) -> list[Step]:
    encoded = [wire.encode(frame, session.subprotocol) for frame in frames]
    return list(session.receive(wire.join(encoded, session.subprotocol), at_ms))


def refused(step: Step) -> tuple[Any, ...]:
    assert isinstance(step, Answer), step
    assert step.frame[0] == Op.ERR
    return tuple(step.frame[1:5])


REFUSALS = [
    ([Op.CMD, 1, "fly", {}], (1, 104, "unknown_op", "There is no command 'fly'.")),
    ([99, 1], (1, 104, "unknown_op", "No operation 99 is a client's to send.")),
    ([Op.OK, 1, {}], (1, 104, "unknown_op", "No operation 17 is a client's to send.")),
    ([Op.CMD, "a", "assign", {}], (None, 107, "bad_request", "id: Expected `int`, got `str`")),
    (
        [Op.CMD, 1, "assign", {"cid": "c"}],
        (1, 107, "bad_request", "Object missing required field `conv`"),
    ),
    (
        [Op.CMD, 1, "assign", {"cid": "c", "conv": 5}],
        (1, 107, "bad_request", "conv: Expected `str`, got `int`"),
    ),
    (
        [Op.CMD, 1, "assign", {"cid": "c", "conv": "b.1", "x": 1}],
        (1, 107, "bad_request", "Object contains unknown field `x`"),
    ),
    (
        [Op.CMD, 1, "return", {"cid": "c", "conv": "b.1"}],
        (
            1,
            107,
            "bad_request",
            "own_tok: required: send the `own_tok` of the conversation's row that you decided on.",
        ),
    ),
    (
        [Op.CMD, 1, "done", {"cid": "c", "conv": "b.1", "own_tok": "1.a"}],
        (
            1,
            107,
            "bad_request",
            "seen: required: send the `in_seq` of the conversation's row as you know it.",
        ),
    ),
    ([Op.SUB, 1, []], (1, 107, "bad_request", "subs: Expected `array` of length >= 1")),
    ([Op.SEEN, "b", 1, "a"], (None, 107, "bad_request", "conv: Expected `str`, got `int`")),
]


@pytest.mark.parametrize(("frame", "told"), REFUSALS)
def test_a_bad_request_is_told_by_the_name_of_its_field(
    frame: list[Any], told: tuple[Any, ...]
) -> None:
    assert refused(say(signed_in(), frame)[0]) == told


@pytest.mark.parametrize("data", ["", "{", "[]", "5", '["x"]', b"\xff\xfe"])
def test_what_is_no_frame_closes(data: str | bytes) -> None:
    step = list(signed_in().receive(data, T0))[-1]
    assert isinstance(step, Shut)
    assert step.code == Close.BAD_FRAME


def test_nothing_is_heard_before_hello() -> None:
    session = Session(subprotocol=wire.JSON_SUBPROTOCOL, limits=LIMITS, now_ms=T0)
    assert [s.code for s in say(session, [Op.SUB, 1, [["b", "list"]]]) if isinstance(s, Shut)] == [
        Close.UNAUTHORIZED
    ]


def test_size_is_limited_more_before_signing_in() -> None:
    session = Session(subprotocol=wire.JSON_SUBPROTOCOL, limits=LIMITS, now_ms=T0)
    (early,) = session.receive("x" * 8193, T0)
    (late,) = signed_in().receive("x" * 65537, T0)
    assert [s.code for s in (early, late) if isinstance(s, Shut)] == [Close.TOO_BIG] * 2


def test_a_long_message_is_taken_after_signing_in() -> None:
    name = "b" * 20_000
    (step,) = say(signed_in(), [Op.PAGE, 1, name, "open"])
    assert refused(step)[2] == "bad_request"  # for its words, not its length


@pytest.mark.parametrize("subprotocol", wire.SUBPROTOCOLS)
def test_the_rate_holds_for_either_codec(subprotocol: str) -> None:
    session = Session(subprotocol=subprotocol, limits=LIMITS, now_ms=T0)
    assert isinstance(say(session, [Op.HELLO, "tok", ""])[0], wire.Hello)
    rate = Gcra(per_s=1.0, burst=2)
    session.signed_in(Principal("ann", "member"), limits=LIMITS, rate=rate)
    command = [Op.CMD, 1, "assign", {"cid": "c", "conv": "b.1"}]
    first, second, third = (say(session, command)[0] for _ in range(3))
    assert isinstance(first, Run) and isinstance(second, Run)
    assert refused(third)[2] == "rate_limited"


def test_several_frames_of_one_message_are_performed_in_order() -> None:
    first, second = say(
        signed_in(),
        [Op.CMD, 1, "assign", {"cid": "c", "conv": "b.1"}, "ignored"],
        [Op.PAGE, 2, "b", "open"],
    )
    assert isinstance(first, Run)
    assert (first.name, first.args.cid) == ("assign", "c")
    assert isinstance(second, wire.Page)


def test_requests_in_flight_are_bounded_until_they_finish() -> None:
    session = signed_in()
    frame = [Op.PAGE, 1, "b", "open"]
    steps = [say(session, frame)[0] for _ in range(17)]
    assert [isinstance(step, Answer) for step in steps] == [False] * 16 + [True]
    assert refused(steps[-1])[2] == "rate_limited"
    session.finished()
    assert isinstance(say(session, frame)[0], wire.Page)


def test_the_rate_is_refused_with_the_time_to_wait_and_persistence_closes() -> None:
    session = signed_in(SessionLimits(commands_per_s=10, commands_burst=2, commands_in_flight=999))
    frame = [Op.PAGE, 1, "b", "open"]
    steps = [say(session, frame)[0] for _ in range(204)]
    assert isinstance(steps[1], wire.Page)
    third = steps[2]
    assert isinstance(third, Answer)
    assert 0 < third.frame[5] <= 101
    assert isinstance(steps[-1], Shut)
    assert steps[-1].code == Close.RATE
    assert isinstance(say(session, frame, at_ms=T0 + third.frame[5])[0], wire.Page)


def test_subscriptions_are_counted_by_the_inboxes_they_name() -> None:
    session, at_ms = signed_in(), T0
    named = 0
    for number in range(40):  # names that nobody has: each would be asked of the engine
        names = [[f"b{number}.{i}", "badge"] for i in range(256)]
        (step,) = say(session, [Op.SUB, number, names], at_ms=at_ms)
        if isinstance(step, wire.Sub):
            named += len(step.subs)
            session.finished()
        else:
            assert refused(step)[2] == "rate_limited"
        at_ms += 100
    assert 512 <= named <= 512 + 4 * 32


def test_copies_of_a_bot_are_counted_by_the_inboxes_they_share_and_not_as_commands() -> None:
    session = signed_in(SessionLimits(commands_per_s=1, commands_burst=1, commands_in_flight=99))
    shared, at_ms = 0, T0
    for number in range(40):
        names = [[f"b{number}.{i}"] for i in range(64)]
        (step,) = say(session, [Op.GROUP, number, "g", "c", 6000, False, names], at_ms=at_ms)
        if isinstance(step, wire.Group):
            shared += len(step.shares)
            session.finished()
        else:
            assert refused(step)[2] == "rate_limited"
        at_ms += 100
    assert 512 <= shared <= 512 + 4 * 128
    assert isinstance(say(session, [Op.PAGE, 1, "b", "open"], at_ms=at_ms)[0], wire.Page)


def test_silence_is_pinged_once_and_then_closed() -> None:
    session = signed_in()
    assert session.tick(T0 + 24_000) == []
    assert session.tick(T0 + 25_000) == [Answer([Op.PING])]
    assert session.tick(T0 + 26_000) == []
    assert session.due_ms == T0 + 45_000
    assert session.tick(T0 + 45_000) == [Shut(Close.NO_PONG, "no answer to PING")]


def test_pings_that_follow_faster_than_answers_may_come_keep_their_pace() -> None:
    session = signed_in(SessionLimits(ping_s=5, pong_timeout_s=20))
    assert session.tick(T0 + 5_000) == [Answer([Op.PING])]
    assert session.due_ms == T0 + 10_000
    assert session.tick(T0 + 10_000) == []
    say(session, [Op.PONG], at_ms=T0 + 10_100)
    assert session.tick(T0 + 10_200) == [Answer([Op.PING])]


def test_any_word_answers_a_ping() -> None:
    session = signed_in()
    session.tick(T0 + 25_000)
    say(session, [Op.PONG, [["b", 7]]], at_ms=T0 + 30_000)
    assert session.positions == {"b": 7}
    assert session.tick(T0 + 49_999) == []
    assert session.due_ms == T0 + 50_000


def test_who_only_speaks_is_pinged_all_the_same() -> None:
    """What they say is not answered: without a PING they would take the server for gone."""
    session = signed_in()
    for at_ms in range(T0, T0 + 25_000, 1000):
        say(session, [Op.VIEWING, None], at_ms=at_ms)
        assert session.tick(at_ms) == []
    assert session.tick(T0 + 25_000) == [Answer([Op.PING])]


def test_a_token_is_announced_to_expire_and_then_closed() -> None:
    session = signed_in(exp_ms=T0 + 70_000)
    assert session.due_ms == T0 + 10_000
    assert session.tick(T0 + 10_000) == [Answer([Op.AUTH, 60])]
    assert Shut(Close.EXPIRED, "the token has expired") in session.tick(T0 + 70_000)


def test_no_hello_in_time_closes() -> None:
    session = Session(subprotocol=wire.JSON_SUBPROTOCOL, limits=LIMITS, now_ms=T0)
    assert session.tick(T0 + 4_999) == []
    assert [s.code for s in session.tick(T0 + 5_000) if isinstance(s, Shut)] == [Close.NO_HELLO]


def test_a_token_may_raise_limits_but_none_disappears() -> None:
    raised = LIMITS.raised({"commands_in_flight": 500, "unknown": 1})
    assert raised.commands_in_flight == 500
    assert raised.message_max_bytes == LIMITS.message_max_bytes


def test_a_limiter_lets_the_burst_pass_and_then_the_rate() -> None:
    limiter = Gcra(per_s=10, burst=5)
    assert [limiter.admit(0) for _ in range(6)][:5] == [0] * 5
    wait_ms = limiter.admit(0)
    assert 100 <= wait_ms <= 101
    assert limiter.admit(wait_ms) == 0
    assert not limiter.idle(wait_ms)
    assert limiter.idle(10_000)

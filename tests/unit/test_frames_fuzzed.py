"""Whatever comes, a session answers it with what the protocol names, and keeps nothing of it."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from batonbox_server import wire
from batonbox_server.errors import CODES
from batonbox_server.session.limits import Gcra, SessionLimits
from batonbox_server.session.ports import Principal
from batonbox_server.session.session import Session
from batonbox_server.session.steps import Answer, Run, Shut, Step
from batonbox_server.wire import Close, Op
from tests.nearly_frames import Nearly, bombs

LIMITS: Final = SessionLimits(commands_per_s=1e9, commands_burst=10**9)
CLOSES: Final = {Close.BAD_FRAME, Close.UNAUTHORIZED, Close.TOO_BIG, Close.RATE}
KINDS: Final = tuple(wire.CLIENT_FRAMES.values())
NUMBERS: Final = {code.number: code.slug for code in CODES.values()}
BOTH: Final = pytest.mark.parametrize("subprotocol", wire.SUBPROTOCOLS)


class Listener:
    """A session that is signed in anew whenever it has ended; counts what became of messages."""

    def __init__(self, subprotocol: str) -> None:
        self.subprotocol = subprotocol
        self.now_ms = 1_000_000
        self.requests = self.refused = 0
        self.closed: dict[Close, int] = {}
        self._open()

    def hear(self, message: bytes | str) -> Shut | None:
        """Pass a message, check each step; the end, if it was."""
        self.now_ms += 1000  # so that refusals are few for the time
        for step in self.session.receive(message, self.now_ms):
            if isinstance(step, Shut):
                assert step.code in CLOSES
                self.closed[step.code] = self.closed.get(step.code, 0) + 1
                self._open()
                return step
            self._perform(step)
        return None

    def _perform(self, step: Step) -> None:
        if isinstance(step, Answer):
            self._answer(step.frame)
            return
        assert isinstance(step, (Run, *KINDS)), step
        if isinstance(step, Run):
            assert type(step.args) is wire.COMMANDS[step.name]
        if not isinstance(step, wire.Hello | wire.Unsub | wire.Pong):
            self.session.finished()
        self.requests += 1

    def _answer(self, frame: wire.Frame) -> None:
        self.refused += 1
        told = (
            wire.decode(wire.encode(frame, self.subprotocol), wire.MSGPACK_SUBPROTOCOL)
            if (self.subprotocol == wire.MSGPACK_SUBPROTOCOL)
            else wire.decode(wire.encode(frame, self.subprotocol).decode(), wire.JSON_SUBPROTOCOL)
        )
        ((op, request, number, slug, text, *_),) = told
        assert op == Op.ERR
        assert request is None or 0 <= request < 2**31
        assert NUMBERS[number] == slug
        assert text

    def _open(self) -> None:
        self.session = Session(subprotocol=self.subprotocol, limits=LIMITS, now_ms=self.now_ms)
        hello: Any = wire.encode([Op.HELLO, "tok", ""], self.subprotocol)
        (step,) = self.session.receive(hello, self.now_ms)
        assert isinstance(step, wire.Hello)
        rate = Gcra(per_s=LIMITS.commands_per_s, burst=LIMITS.commands_burst)
        self.session.signed_in(Principal("ann", "member"), limits=LIMITS, rate=rate)


def listen(subprotocol: str, *, seed: int, count: int) -> Listener:
    nearly, listener = Nearly(seed), Listener(subprotocol)
    for _ in range(count):
        listener.hear(nearly.message(subprotocol))
    return listener


@BOTH
def test_golden_frames_with_changes_are_understood_refused_or_the_end(subprotocol: str) -> None:
    found = listen(subprotocol, seed=1, count=10_000)
    # It hears of everything, not of one kind alone.
    assert found.requests > 1000
    assert found.refused > 1000
    assert found.closed[Close.BAD_FRAME] > 500


@BOTH
@settings(max_examples=300, deadline=None, phases=[Phase.generate, Phase.shrink])
@given(data=st.one_of(st.binary(max_size=400), st.text(max_size=200)))
def test_anything_at_all_is_understood_refused_or_the_end(
    subprotocol: str, data: bytes | str
) -> None:
    Listener(subprotocol).hear(data)


VALUES: Final = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False),
        st.text(max_size=20), st.sampled_from(["sales", "sales.c1", "list", "assign", "note"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip


@BOTH
@settings(max_examples=150, deadline=None, phases=[Phase.generate, Phase.shrink])
@given(op=st.sampled_from(sorted(wire.CLIENT_FRAMES)), fields=st.lists(VALUES, max_size=6))
def test_every_operation_with_any_fields_is_understood_or_refused(
    subprotocol: str, op: int, fields: list[Any]
) -> None:
    data: Any = wire.encode([op, *fields], subprotocol)
    if subprotocol == wire.JSON_SUBPROTOCOL:
        data = data.decode()
    assert Listener(subprotocol).hear(data) is None


@BOTH
@pytest.mark.parametrize("signed_in", [True, False])
def test_no_message_takes_far_more_memory_than_it_is_long(
    subprotocol: str, signed_in: bool
) -> None:
    size = LIMITS.message_max_bytes if signed_in else LIMITS.pre_auth_max_bytes
    for name, bomb in bombs(subprotocol, size):
        listener = Listener(subprotocol)
        if not signed_in:
            listener.session = Session(subprotocol=subprotocol, limits=LIMITS, now_ms=0)
        tracemalloc.start()
        try:
            listener.hear(bomb)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 16 << 20, f"{name}: {peak >> 20} MB"


@BOTH
def test_who_says_words_that_cost_nothing_all_the_time_is_closed(subprotocol: str) -> None:
    session = Listener(subprotocol).session
    pongs: Any = wire.join([wire.encode([Op.PONG], subprotocol)] * 2000, subprotocol)
    *_, last = session.receive(pongs, 5)
    assert isinstance(last, Shut)
    assert last.code == Close.RATE


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.long
def test_a_million_messages_leave_nothing_behind() -> None:
    sizes, objects = [], []
    for cycle in range(3):
        for subprotocol in wire.SUBPROTOCOLS:
            found = listen(subprotocol, seed=100 + cycle, count=167_000)
            assert found.requests > 10_000
            del found
        gc.collect()
        sizes.append(resident_bytes())
        objects.append(len(gc.get_objects()))
    assert sizes[2] <= 1.05 * sizes[0], sizes
    assert objects[2] <= objects[0] + 100, objects

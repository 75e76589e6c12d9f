"""Load shedding: how levels rise and fall, and how those who are turned away come back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from batonbox_server.asgi.admission import Bounds, Level, LoadShedder, Pressure
from tests.support import eventually

BUSY = Pressure(lag_s=0.3)
OVERLOADED = Pressure(engine_s=2.5)
LESS = Pressure(lag_s=0.15)  # not enough to become busy, too much to stop being it
NONE = Pressure()


@pytest.fixture
def shedder() -> LoadShedder:
    return LoadShedder(Bounds(handshakes_per_s=500.0))


def test_it_rises_at_once_and_falls_step_by_step_after_a_while_of_calm(
    shedder: LoadShedder,
) -> None:
    seen = []
    for at_s, pressure in [
        (0.0, NONE),
        (0.1, BUSY),
        (0.2, OVERLOADED),
        (0.3, NONE),
        (2.1, NONE),
        (2.2, NONE),
        (4.1, NONE),
        (4.2, NONE),
    ]:
        shedder.measured(pressure, at_s)
        seen.append(shedder.level)
    calm, busy, over = Level
    assert seen == [calm, busy, over, over, over, busy, busy, calm]


def test_it_does_not_flap_around_a_threshold(shedder: LoadShedder) -> None:
    shedder.measured(BUSY, 0.0)
    changes = 0
    for tick in range(1, 600):
        before = shedder.level
        shedder.measured(BUSY if tick % 30 == 0 else LESS, tick / 10)
        changes += shedder.level is not before
    assert changes == 0
    for tick in range(600, 640):
        shedder.measured(NONE, tick / 10)
    assert shedder.level is Level.CALM


@pytest.mark.parametrize(
    ("pressure", "level"),
    [
        (Pressure(engine_used=0.6), Level.BUSY),
        (Pressure(engine_used=0.95), Level.OVERLOADED),
        (Pressure(engine_s=0.6), Level.BUSY),
        (Pressure(lag_s=1.1), Level.OVERLOADED),
        (Pressure(memory_used=1.0), Level.BUSY),
        (Pressure(memory_used=9.0), Level.BUSY),  # whoever is there is served all the same
        (Pressure(memory_used=0.9), Level.CALM),
    ],
)
def test_what_each_signal_asks_for(pressure: Pressure, level: Level) -> None:
    assert pressure.level() is level


def test_when_overloaded_only_what_is_vital_is_done(shedder: LoadShedder) -> None:
    shedder.measured(BUSY, 0.0)
    assert shedder.refuses_request(vital=False) == 0
    shedder.measured(OVERLOADED, 0.1)
    assert shedder.refuses_connection(100.0) > 0
    assert shedder.refuses_request(vital=False) >= 1000
    assert shedder.refuses_request(vital=True) == 0


def test_when_busy_a_tenth_gets_in_unless_memory_is_short(shedder: LoadShedder) -> None:
    shedder.measured(BUSY, 0.0)
    assert [shedder.refuses_connection(0.0) for _ in range(500)].count(0) == 50
    shedder.measured(Pressure(memory_used=1.0), 1.0)
    assert shedder.refuses_connection(1000.0) > 0
    shedder.measured(Pressure(memory_used=0.96), 1.1)
    assert shedder.refuses_connection(1100.0) > 0
    shedder.measured(Pressure(memory_used=0.94, lag_s=0.3), 1.2)
    assert shedder.refuses_connection(1200.0) == 0


def test_those_who_are_turned_away_come_back_at_the_rate_at_which_they_are_served(
    shedder: LoadShedder,
) -> None:
    answers = [shedder.refuses_connection(1000.0) for _ in range(10_000)]
    assert answers.count(0) == 500
    back = Counter(after_s for after_s in answers if after_s)
    assert max(back) <= 31
    assert max(back) >= 15  # 9,500 of them at 500/s
    # The first were told to come soon, for nobody could know how many more there would be.
    assert max(back.values()) < 2500
    # An hour later nobody is expected any more.
    shedder.shed.clear()
    for _ in range(500):
        assert shedder.refuses_connection(3_600_000.0) == 0
    assert shedder.refuses_connection(3_600_000.0) in {1, 2}


async def test_a_loop_that_is_kept_busy_is_noticed_and_one_late_turn_is_not(
    shedder: LoadShedder,
) -> None:
    loop = asyncio.get_running_loop()
    shedder.start()
    try:
        await asyncio.sleep(0.25)
        time.sleep(0.6)  # noqa: ASYNC251
        await asyncio.sleep(0.25)
        assert shedder.level is Level.CALM
        until_s = loop.time() + 10

        def work() -> None:
            end_s = time.perf_counter() + 0.5
            while time.perf_counter() < end_s:
                sum(range(1000))
            if shedder.level is Level.CALM and loop.time() < until_s:
                loop.call_soon(work)

        loop.call_soon(work)
        await eventually(lambda: shedder.level is not Level.CALM)
        await eventually(lambda: shedder.level is Level.CALM, timeout_s=30)
    finally:
        shedder.close()


def test_connections_that_wait_for_a_request_leave_files_to_the_others(
    shedder: LoadShedder,
) -> None:
    assert shedder.kept_max() > 0
    shedder.crowd.connections = 10**12
    assert shedder.kept_max() == 0

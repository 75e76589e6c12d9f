"""What an outage writes to the log."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from batonbox_server.repeats import Repeats


class Log:
    """Lines as they are written, at a time of ours."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.repeats = Repeats(every_s=5.0, clock=lambda: self.now_s)

    def line(self, event: str, level: str = "warning", **more: Any) -> Any:
        """The line, None where it is left out."""
        try:
            return self.repeats(None, level, {"event": event, "level": level, **more})
        except structlog.DropEvent:
            return None


@pytest.fixture
def log() -> Log:
    return Log()


def test_the_same_trouble_is_told_once_in_a_while_with_a_count(log: Log) -> None:
    assert "repeated" not in log.line("lease_failed", error="refused", inbox="sales")
    for at_s in (0.1, 2.0, 4.9):
        log.now_s = at_s
        assert log.line("lease_failed", error="refused", inbox="support") is None
    log.now_s = 5.0
    assert log.line("lease_failed", error="refused", inbox="sales")["repeated"] == 3
    log.now_s = 10.0
    assert "repeated" not in log.line("lease_failed", error="refused", inbox="sales")


def test_other_trouble_is_told_at_once(log: Log) -> None:
    assert log.line("lease_failed", error="refused")
    assert log.line("lease_failed", error="no answer")
    assert log.line("timers_failed", error="refused")
    assert log.line("lease_failed", "error", error="refused") is None  # the same, only worse


def test_what_is_no_trouble_is_never_left_out(log: Log) -> None:
    assert all(log.line("signed_in", "info", user="ana", error="") for _ in range(3))
    assert all(log.line("worker_died", pid=pid) for pid in range(3))


def test_what_belongs_to_a_request_is_never_left_out(log: Log) -> None:
    assert all(log.line("failed", error="refused", request_id=f"r{n}") for n in range(3))


def test_only_so_many_kinds_are_remembered(log: Log) -> None:
    assert log.line("first", error="x")
    for n in range(255):
        assert log.line("lease_failed", error=str(n))
    assert log.line("first", error="x") is None
    assert log.line("one more", error="x")
    assert log.line("first", error="x")

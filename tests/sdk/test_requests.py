"""What is sent again after a reconnect, and what must not be."""

from __future__ import annotations

import asyncio

import pytest

from batonbox import ConnectionLost, OutcomeUnknown
from batonbox._requests import CONTENT_RESEND_S, OWNERSHIP_RESEND_S, Request, Requests


class Table:
    """Requests with a clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.requests = Requests(clock=lambda: self.now_s, waiting_max=3)
        self._last = 0

    def add(self, command: str = "") -> Request:
        self._last += 1
        answer = asyncio.get_running_loop().create_future()
        frame = [1, self._last, command]
        request = Request(self._last, frame, answer, command=command, cid=f"c{self._last}")
        self.requests.add(request)
        return request


@pytest.fixture
async def table() -> Table:
    return Table()


async def test_no_more_than_the_limit_are_under_way(table: Table) -> None:
    table.requests.in_flight = 2
    first, second, third = table.add(), table.add(), table.add()
    assert table.requests.due() == [first.frame, second.frame]
    assert table.requests.due() == []
    assert table.requests.take(first.id) is first
    assert table.requests.due() == [third.frame]


async def test_the_unanswered_are_sent_again_in_order_before_the_new(table: Table) -> None:
    first, second = table.add("assign"), table.add("reply")
    table.requests.due()
    third = table.add("note")
    assert table.requests.requeue() == []
    assert table.requests.due() == [first.frame, second.frame, third.frame]


@pytest.mark.parametrize(
    ("command", "limit_s"),
    [("assign", OWNERSHIP_RESEND_S), ("done", OWNERSHIP_RESEND_S), ("reply", CONTENT_RESEND_S)],
)
async def test_a_command_that_is_too_old_is_not_sent_again(
    table: Table, command: str, limit_s: float
) -> None:
    request = table.add(command)
    table.requests.due()
    table.now_s += limit_s - 1
    assert table.requests.requeue() == []
    assert table.requests.due() == [request.frame]
    table.now_s += 2
    assert table.requests.requeue() == [request]
    assert table.requests.due() == []
    assert isinstance(request.answer.exception(), OutcomeUnknown)


async def test_what_was_never_sent_and_what_only_reads_may_be_old(table: Table) -> None:
    read, command = table.add(), table.add("assign")
    table.requests.in_flight = 1
    table.requests.due()
    table.now_s += 10 * CONTENT_RESEND_S
    assert table.requests.requeue() == []
    table.requests.in_flight = 2
    assert table.requests.due() == [read.frame, command.frame]


async def test_a_dropped_request_is_never_sent_again(table: Table) -> None:
    sent, waiting = table.add("assign"), table.add("reply")
    table.requests.in_flight = 1
    table.requests.due()
    table.requests.drop(sent)
    table.requests.drop(waiting)
    table.requests.requeue()
    assert table.requests.due() == []
    assert len(table.requests) == 0


async def test_the_queue_is_bounded(table: Table) -> None:
    for _ in range(3):
        table.add()
    with pytest.raises(ConnectionLost):
        table.add()


async def test_at_the_end_a_sent_command_is_unknown_and_the_rest_fails(table: Table) -> None:
    table.requests.in_flight = 1
    sent, waiting = table.add("assign"), table.add("reply")
    table.requests.due()
    table.requests.fail(ConnectionLost("over"))
    assert isinstance(sent.answer.exception(), OutcomeUnknown)
    assert isinstance(waiting.answer.exception(), ConnectionLost)

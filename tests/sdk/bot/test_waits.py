"""When `unassigned` handlers are due: once per wait, and by whoever holds the conversation."""

from __future__ import annotations

from typing import Any

from batonbox import Router, Row
from batonbox.bot._waits import TAKE_OVER_S, Waits


def row(
    token: str = "1.a",
    *,
    conv: str = "sales.c1",
    rev: int = 0,
    status: str = "unassigned",
    last_s: float = 0.0,
    waiting_s: float = 0.0,
) -> Row:
    last_ms, since_ms = round(1000 * last_s), round(1000 * waiting_s)
    return Row(
        id=conv, rev=rev, own_tok=token, status=status, last_ms=last_ms, waiting_since=since_ms
    )


def waits(*older_than_s: float, **more: Any) -> Waits:
    router = Router()

    async def handler(conversation: Any) -> None: ...

    for seconds in older_than_s:
        router.unassigned(older_than_s=seconds, **more)(handler)
    return Waits(router._waits)


def due(of: Waits, now_s: float, *, holds: bool = True) -> list[tuple[float, str, str]]:
    found = of.due(now_s, holds=lambda _: holds)
    return [(each.handler.older_than_s, each.row.id, each.row.own_tok) for each in found]


def test_each_handler_is_due_once_when_the_conversation_has_waited_so_long() -> None:
    of = waits(10, 60)
    of.tell(row(last_s=100))
    of.tell(row(last_s=105))  # the customer wrote again: the same wait
    assert of.next_s() == 110
    assert due(of, 109.9) == []
    assert due(of, 110) == [(10, "sales.c1", "1.a")]
    assert due(of, 159) == []
    assert due(of, 1000) == [(60, "sales.c1", "1.a")]
    assert of.next_s() is None


def test_who_owns_it_ends_the_wait_and_coming_back_begins_another() -> None:
    of = waits(10)
    of.tell(row(last_s=100))
    of.tell(row("2.a", status="assigned", last_s=105))
    assert due(of, 110) == []
    of.tell(row("3.a", last_s=120))
    assert due(of, 129) == []
    assert due(of, 130) == [(10, "sales.c1", "3.a")]
    of.tell(row("4.a", status="assigned", last_s=131))
    of.tell(row("5.a", last_s=140))
    assert due(of, 150) == [(10, "sales.c1", "5.a")]


def test_what_is_read_after_a_gap_goes_on_where_it_is_the_same_wait() -> None:
    of = waits(10)
    for conv in ("sales.done", "sales.left", "sales.kept"):
        of.tell(row(conv=conv, last_s=100))
    assert len(due(of, 110)) == 3
    of.tell(row("2.a", conv="sales.kept", status="assigned", last_s=111))
    of.tell(row("3.a", conv="sales.kept", last_s=112))
    of.found(
        [
            row(conv="sales.done", last_s=100),
            row("3.a", conv="sales.kept", last_s=115, waiting_s=50),
            row(conv="sales.new", last_s=115, waiting_s=108),
        ]
    )
    assert due(of, 118) == [(10, "sales.new", "1.a")]
    assert due(of, 122) == [(10, "sales.kept", "3.a")]


def test_what_happened_before_it_was_read_is_known_already() -> None:
    of = waits(10)
    of.found([row("6.a", rev=6, last_s=100, waiting_s=100)])
    assert due(of, 110) == [(10, "sales.c1", "6.a")]
    of.tell(row("5.a", rev=5, status="assigned", last_s=99))
    of.tell(row("6.a", rev=6, last_s=100))
    assert due(of, 1000) == []


def test_what_was_there_before_counts_from_when_the_customer_wrote() -> None:
    of = waits(10)
    of.found([row(last_s=100, waiting_s=50), row(conv="sales.c2", last_s=100)])
    assert due(of, 60) == [(10, "sales.c1", "1.a")]
    assert due(of, 110) == [(10, "sales.c2", "1.a")]


def test_only_its_inboxes_count() -> None:
    of = waits(10, inbox="support")
    of.tell(row(last_s=0))
    of.tell(row(conv="support.c1", last_s=0))
    assert due(of, 10) == [(10, "support.c1", "1.a")]


def test_what_another_copy_holds_is_its_own_but_for_what_it_may_have_died_over() -> None:
    of = waits(10)
    of.tell(row(last_s=0))
    assert due(of, 10, holds=False) == []
    assert due(of, 10 + TAKE_OVER_S - 1, holds=True) == [(10, "sales.c1", "1.a")]
    of.tell(row("2.a", conv="sales.c2", last_s=0))
    assert due(of, 10, holds=False) == []
    assert due(of, 10 + TAKE_OVER_S, holds=False) == []
    assert due(of, 1000, holds=True) == []


def test_a_wait_that_has_ended_is_not_handled() -> None:
    of = waits(10)
    of.tell(row(last_s=0))
    [found] = of.due(10, holds=lambda _: True)
    of.tell(row(last_s=5))
    assert of.still(found) == row(last_s=5)
    of.tell(row("2.a", status="assigned"))
    assert of.still(found) is None
    of.tell(row("3.a", last_s=20))
    assert of.still(found) is None

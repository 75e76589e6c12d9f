"""Backoff, close codes, error mapping, exports, addresses, rows."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import batonbox
from batonbox import ApiError, Backoff, ConnectionLost, Row
from batonbox._backoff import Next, after_close
from batonbox._errors import BY_SLUG, api_error
from batonbox._rows import Rows
from batonbox._transport import refused_upgrade, websocket_url
from batonbox._wire import CLOSE_RANGES, ERRORS, Close
from tests.sdk.scripted import row

EXPORTS = Path(__file__).with_name("exports.txt")


def test_backoff_is_full_jitter_up_to_the_cap() -> None:
    backoff = Backoff(0.2, 20.0)
    longest = [backoff.delay_s(n, draw=lambda: 1.0) for n in range(9)]
    assert longest == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20.0, 20.0])
    assert backoff.delay_s(9, draw=lambda: 0.0) == 0.0
    assert backoff.delay_s(10**6, draw=lambda: 1.0) == 20.0


def test_backoff_heeds_what_the_server_asks_for() -> None:
    backoff = Backoff(0.2, 20.0)
    assert backoff.delay_s(0, draw=lambda: 0.5, spread_s=3.0) == 1.5
    assert backoff.delay_s(0, draw=lambda: 1.0, spread_s=0.1) == 0.2
    assert backoff.delay_s(0, draw=lambda: 1.0, spread_s=900.0) == 20.0
    # Whole seconds are asked for: those who are asked for the same spread over one.
    assert backoff.delay_s(0, draw=lambda: 0.0, after_s=7.0) == 7.0
    assert backoff.delay_s(0, draw=lambda: 1.0, after_s=7.0) == 6.0
    assert backoff.delay_s(0, draw=lambda: 0.0, after_s=9e9) == 60.0


def test_a_refused_upgrade_tells_when_to_come_back() -> None:
    busy = refused_upgrade(503, retry_after="7")
    assert isinstance(busy, ConnectionLost)
    assert busy.retry_after_s == 7.0
    later = refused_upgrade(503, retry_after="Sun, 29 Nov 2026 12:00:00 GMT")
    assert isinstance(later, ConnectionLost)
    assert later.retry_after_s == 0.0


@pytest.mark.parametrize("code", list(Close))
def test_the_range_of_every_close_code_decides(code: Close) -> None:
    says = next(text for low, high, text in CLOSE_RANGES if low <= code <= high)
    expected = {"reconnect": Next.RESUME, "fetch": Next.REAUTHORIZE, "stop;": Next.STOP}
    assert after_close(code) is expected[says.split()[0]]


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012, 3000, 4200, 4399, 4500])
def test_any_other_close_is_a_broken_link(code: int) -> None:
    assert after_close(code) is Next.RESUME


def test_every_row_of_the_error_table_has_a_place_in_the_tree() -> None:
    assert {slug for slug, _, _ in ERRORS.values()} == set(BY_SLUG)


@pytest.mark.parametrize(("number", "slug", "name"), [
    (101, "unauthorized", "Unauthorized"),
    (103, "forbidden", "Forbidden"),
    (111, "rate_limited", "RateLimited"),
    (120, "conflict", "AlreadyAssigned"),
    (121, "not_owner", "NotOwner"),
    (122, "stale_token", "StaleToken"),
    (123, "not_found", "NotFound"),
    (124, "new_activity", "NewActivity"),
    (126, "target_not_member", "Conflict"),
    (129, "not_undoable", "NotUndoable"),
    (130, "unavailable", "Unavailable"),
    (999, "of_a_later_version", "ApiError"),
])  # fmt: skip
def test_errors_become_their_exceptions(number: int, slug: str, name: str) -> None:
    error = api_error(number, slug, "why", retry_ms=1500)
    assert type(error).__name__ == name
    assert (error.code, error.slug, error.message) == (number, slug, "why")
    assert error.retryable == (ERRORS[number][1] if number in ERRORS else False)
    if isinstance(error, batonbox.RateLimited):
        assert error.retry_after_s == 1.5


def test_a_conflict_names_the_owner() -> None:
    error = api_error(120, "conflict", "taken", cur=Row(id="sales.c1", assignee="agent2"))
    assert isinstance(error, batonbox.AlreadyAssigned)
    assert error.by == "agent2"
    assert isinstance(error, ApiError)


def test_the_exports_are_pinned_and_sorted() -> None:
    # As linters sort them: constants first.
    assert batonbox.__all__ == sorted(batonbox.__all__, key=lambda name: (not name.isupper(), name))
    assert batonbox.__all__ == EXPORTS.read_text().split()
    public = {
        name
        for name, value in vars(batonbox).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }
    assert public == set(batonbox.__all__) - {"__version__"}


@pytest.mark.parametrize(("base", "expected"), [
    ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/v1/ws"),
    ("https://inbox.invalid/", "wss://inbox.invalid/v1/ws"),
    ("http://inbox.invalid/under", "ws://inbox.invalid/under/v1/ws"),
])  # fmt: skip
def test_the_websocket_stands_below_the_base_address(base: str, expected: str) -> None:
    assert websocket_url(base) == expected


@pytest.mark.parametrize("base", ["127.0.0.1:8080", "ftp://inbox.invalid", "http://", ""])
def test_an_address_that_is_none_is_refused(base: str) -> None:
    with pytest.raises(ValueError, match="base address"):
        websocket_url(base)


def test_the_newest_row_stays_until_a_reset() -> None:
    rows = Rows(rows_max=2)
    rows.put(row(rev=5, preview="new"))
    assert rows.put(row(rev=4, preview="old")) == rows.get("sales.c1")
    rows.reset("sales")
    assert rows.get("sales.c1") is None
    rows.put(row(rev=4, preview="old"))
    rows.put(row("sales.c2"))
    rows.put(row("sales.c3"))
    assert rows.get("sales.c1") is None
    assert rows.get("sales.c3") is not None


@pytest.mark.parametrize(("command", "args", "status", "assignee"), [
    ("assign", {}, "assigned", "me"),
    ("assign", {"to": "you"}, "assigned", "you"),
    ("transfer", {"to": "you"}, "assigned", "you"),
    ("return", {}, "unassigned", ""),
    ("done", {}, "done", ""),
])  # fmt: skip
def test_my_own_command_shows_before_its_event(
    command: str, args: dict[str, str], status: str, assignee: str
) -> None:
    rows = Rows()
    rows.put(row(rev=5, status="unassigned"))
    result = {"conv": "sales.c1", "seq": 6, "own_tok": "6.cccccccc"}
    rows.acknowledged(command, args={"conv": "sales.c1", **args}, me="me", result=result)
    now = rows.get("sales.c1")
    assert now is not None
    assert (now.status, now.assignee, now.own_tok, now.rev) == (status, assignee, "6.cccccccc", 6)


def test_a_command_without_effect_takes_nothing_from_what_is_known() -> None:
    """It is answered with the inbox's position, far ahead of the row's; the row did not change."""
    rows = Rows()
    rows.put(row(rev=5, status="assigned", assignee="me", snoozed_until=9_000))
    result = {"conv": "sales.c1", "seq": 40, "own_tok": "4.cccccccc", "noop": True}
    rows.acknowledged("assign", args={"conv": "sales.c1"}, me="me", result=result)
    now = rows.get("sales.c1")
    assert now is not None
    assert (now.assignee, now.own_tok, now.snoozed_until) == ("me", "4.cccccccc", 9_000)
    rows.put(row(rev=30, status="done"))  # on its way here meanwhile
    assert (rows.get("sales.c1") or now).status == "done"

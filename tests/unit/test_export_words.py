"""What lines that nobody wrote say in an export."""

from __future__ import annotations

from typing import Any

import pytest

from batonbox_server.domain.model import Kind
from batonbox_server.service.export_words import SAID, line_words

_NAMES = {"ann": "Ann", "bo": "Bo"}
# Kinds of events that are no lines of a thread.
_NO_LINES = {
    Kind.DELIVERY_CHANGED,
    Kind.INBOX_CREATED,
    Kind.INBOX_CHANGED,
    Kind.INBOX_DELETED,
    Kind.PURGED,
    Kind.EDITED,
    Kind.DELETED,
}


def words(kind: str, actor: str = "ann", **body: Any) -> str:
    line = {"kind": kind, "actor": actor, "body": body}
    return line_words(line, lambda user: _NAMES.get(user, user), str)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (words("assigned", to="ann"), "Assigned to Ann"),
        (words("assigned", to="bo"), "Assigned to Bo by Ann"),
        (words("assigned", "", to="bo"), "Assigned to Bo"),
        (words("transferred", to="bo", note="yours"), "Transferred to Bo by Ann: yours"),
        (words("returned", to=""), "Returned to the inbox by Ann"),
        (words("returned", "", reason="silent"), "Returned to the inbox: its owner did not answer"),
        (words("done"), "Marked as done by Ann"),
        (words("undone", to="ann"), "Last change undone by Ann; assigned to Ann"),
        (words("undone", to=""), "Last change undone by Ann; with nobody"),
        (words("snoozed", until_ms=7), "Put aside until 7 by Ann"),
        (words("woken", ""), "Due again"),
        (words("room_created", name="x"), "Created by Ann"),
        (words("room_changed", name="talk"), "Renamed by Ann: talk"),
        (words("room_changed", archived=True), "Archived by Ann"),
        (words("room_changed", archived=False), "Opened again by Ann"),
        (words("member_joined", to="ann"), "Ann joined"),
        (words("member_joined", to="bo"), "Bo was added by Ann"),
        (words("member_removed", to="ann"), "Ann left"),
        (words("member_removed", "", to="bo"), "Bo left"),
        (words("member_removed", to="bo"), "Bo was taken out by Ann"),
    ],
)
def test_a_line_says_who_did_what(said: str, says: str) -> None:
    assert said == says


def test_every_kind_of_line_says_something() -> None:
    for kind in set(Kind) - _NO_LINES - SAID:
        assert words(kind, to="bo"), kind

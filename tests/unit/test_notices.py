"""Whom an event concerns personally."""

from __future__ import annotations

from typing import Any

from batonbox_server.hub.notices import notices


def told(
    kind: str, *, actor: str = "", had: str = "", has: str = "", **more: Any
) -> list[tuple[str, str, dict[str, Any]]]:
    """The notices of one event about a conversation."""
    before = {"status": "assigned" if had else "unassigned", "assignee": had, "att": ""}
    row = {"status": "assigned" if has else "unassigned", "assignee": has}
    meta = {"type": kind, "actor": actor, "conv": "box.1", "row": row, "before": before, **more}
    return list(notices(meta))


def test_who_loses_one_to_a_rule_learns_which() -> None:
    by = {"by": "", "type": "returned", "to": "", "reason": "offline"}
    assert told("returned", had="ann", reason="offline") == [("ann", "taken_from_you", by)]
    assert told("returned", actor="ann", had="ann") == []


def test_who_gets_one_back_by_a_message_is_handed_it() -> None:
    given = [("ann", "handed_to_you", {"by": "", "type": "received"})]
    assert told("received", has="ann") == given
    assert told("received", had="ann", has="ann") == []


def test_what_wakes_by_time_is_told_and_what_its_owner_wakes_is_not() -> None:
    by = {"by": "", "type": "woken", "reason": "due"}
    assert told("woken", had="ann", has="ann", reason="due") == [("ann", "woken", by)]
    assert told("woken", actor="ann", had="ann", has="ann", reason="owner") == []


def test_a_message_that_wakes_is_told_by_its_badge_alone() -> None:
    assert told("received", had="ann", has="ann") == []

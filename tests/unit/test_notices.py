"""Whom an event concerns personally."""

from __future__ import annotations

from typing import Any

import msgspec

from batonbox_server.hub.frames import Happened
from batonbox_server.hub.notices import notices, room_audience, room_notice


def told(
    kind: str, *, actor: str = "", had: str = "", has: str = "", **more: Any
) -> list[tuple[str, str, dict[str, Any]]]:
    """The notices of one event about a conversation."""
    before = {"status": "assigned" if had else "unassigned", "assignee": had, "att": ""}
    row = {"status": "assigned" if has else "unassigned", "assignee": has}
    meta = {"type": kind, "actor": actor, "conv": "box.1", "row": row, "before": before, **more}
    return notices(msgspec.convert(meta, Happened))


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


def of_room(kind: str, user: str, /, *, direct: bool = False, **more: Any) -> str:
    """What an event of a room by ann tells somebody; "" for nothing, and to nobody it skips."""
    people = ["ann", "bob"] if direct else []
    row = {"kind": "direct" if direct else "public", "people": people}
    meta = {"type": kind, "actor": "ann", "conv": "~c1", "row": row, "n": 7, **more}
    notice = room_notice(meta, user)
    if notice is None:
        return ""
    which = {"n": 7} if kind == "posted" else {}
    assert notice[1] == {"by": "ann", "type": kind, **which}
    assert user in room_audience(meta) or kind == "room_created"
    return notice[0]


def test_a_post_tells_whom_it_names_and_in_a_direct_room_the_other() -> None:
    assert of_room("posted", "bob") == ""
    assert of_room("posted", "bob", mentions=["bob", "ann"]) == "mention"
    assert of_room("posted", "ann", mentions=["bob", "ann"]) == ""
    assert of_room("posted", "bob", direct=True, mentions=["bob"]) == "direct"
    assert of_room("posted", "ann", direct=True) == ""
    assert of_room("edited", "bob", mentions=["bob"]) == ""


def test_who_is_put_into_a_channel_is_told_and_who_joins_is_not() -> None:
    assert of_room("member_joined", "bob", user="bob") == "added"
    assert of_room("member_joined", "ann", user="ann") == ""
    assert of_room("member_joined", "cyd", user="bob") == ""
    assert of_room("room_created", "bob") == "added"
    assert of_room("room_created", "bob", direct=True) == ""

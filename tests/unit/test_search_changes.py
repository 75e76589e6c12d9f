"""What a log's entries say to the index: in order, a conversation once, and only what continues."""

from __future__ import annotations

from typing import Any

from batonbox_server.service.search_changes import continued
from batonbox_server.service.search_port import Card, Gone, Message, Place, Purged, Talk
from batonbox_server.store.port import LogEntry
from batonbox_server.wire import MSGPACK_SUBPROTOCOL, encode

AT = Place("e", 10, "tip10", done=3, total=4)


def log(*said: tuple[dict[str, Any], Any]) -> list[LogEntry]:
    """Entries behind `AT`, each of (what happened, body)."""
    return [
        LogEntry(
            seq, f"tip{seq - 1}", encode([20, "box", seq, *each, f"tip{seq}"], MSGPACK_SUBPROTOCOL)
        )
        for seq, each in enumerate(said, AT.seq + 1)
    ]


def event(kind: str, conv: str, n: int, body: Any = None) -> tuple[dict[str, Any], Any]:
    row = {"id": conv, "customer": "+1", "last_ms": 100 + n, "n": n, "status": "done", "att": ""}
    return {"type": kind, "conv": conv, "n": n, "row": row, "before": None}, body


def test_a_conversation_that_moves_on_and_on_is_told_once() -> None:
    found = continued(AT, log(*(event("assigned", "box.1", n) for n in range(1, 100))))
    assert found == ([Talk("box.1", "+1", 199)], Place("e", 109, "tip109", done=3, total=4))


def test_texts_keep_their_order_behind_their_conversation() -> None:
    told = log(
        event("received", "box.1", 1, {"text": "a gnu"}),
        event("assigned", "box.2", 1),
        event("edited", "box.1", 1, {"text": "a gnat"}),
        event("noted", "box.2", 2, {"files": []}),
    )
    assert continued(AT, told) == (
        [
            Talk("box.1", "+1", 101),
            Message("box.1", 1, 101, "a gnu"),
            Talk("box.2", "+1", 102),
            Message("box.1", 1, 101, "a gnat", edit=True),
            Message("box.2", 2, 102, ""),
        ],
        Place("e", 14, "tip14", done=3, total=4),
    )


def test_what_begins_anew_after_its_end_comes_behind_it() -> None:
    contact = {"id": "c1", "name": "Ada", "numbers": ["+1"], "note": ""}
    told = log(
        event("received", "box.1", 1, {"text": "a gnu"}),
        ({"type": "purged", "conv": "box.1", "n": 1, "whole": True}, None),
        event("assigned", "box.1", 2),
        ({"type": "member_joined", "user": "ann", "role": "member", "joined": True}, None),
        ({"type": "contact_changed", "id": "c1"}, contact),
        ({"type": "contact_deleted", "id": "c1"}, None),
        ({"type": "purged", "conv": "box.1", "n": 2}, None),
    )
    found = continued(AT, told)
    assert found is not None
    assert found[0] == [
        Talk("box.1", "+1", 101),
        Message("box.1", 1, 101, "a gnu"),
        Purged("box.1", 1),
        Gone("box.1"),
        Talk("box.1", "+1", 102),
        Card("c1", "Ada", ("+1",), ""),
        Gone("c1"),
        Purged("box.1", 2),
    ]


def test_only_what_continues_the_place_is_told() -> None:
    told = log(event("assigned", "box.1", 1), event("assigned", "box.1", 2))
    assert continued(AT, []) is None
    assert continued(AT, told[1:]) is None
    assert continued(AT, [told[0], told[0]]) is None
    assert continued(Place("e", 10, "another"), told) is None
    assert continued(AT, [told[0], LogEntry(12, "another", told[1].frame)]) is None

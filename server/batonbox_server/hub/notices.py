"""Which people an event concerns personally: NOTIFY, derived from the event alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["notices"]


def notices(meta: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(user, kind, data) of an event; nobody is told about their own act."""
    row = meta.get("row")
    if row is None:
        return
    why = {"reason": meta["reason"]} if meta.get("reason") else {}
    actor = meta.get("actor", "")
    before = meta.get("before") or {"status": "", "assignee": ""}
    owner, previous = row["assignee"], before["assignee"]
    by = {"by": actor, "type": meta["type"]}
    if owner and owner not in {actor, previous}:
        yield owner, "handed_to_you", by
    if previous and previous not in {actor, owner}:
        yield previous, "taken_from_you", {**by, "to": owner, **why}
    if meta["type"] == "woken" and not actor:
        yield owner, "woken", {**by, **why}
    for user in meta.get("mentions") or ():
        if user != actor:
            yield user, "mention", by

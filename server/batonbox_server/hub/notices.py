"""Which people an event concerns personally: NOTIFY, derived from the event alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .frames import Happened

__all__ = ["notices", "room_audience", "room_notice"]


def notices(meta: Happened) -> list[tuple[str, str, dict[str, Any]]]:
    """(user, kind, data) of an event; nobody is told about their own act."""
    row, before = meta.row, meta.before
    if row is None:
        return []
    actor = meta.actor
    owner, previous = row.assignee, before.assignee if before is not None else ""
    handed, taken = owner not in {"", actor, previous}, previous not in {"", actor, owner}
    woken = meta.type == "woken" and not actor
    if not (handed or taken or woken or meta.mentions):
        return []  # as nearly always
    told: list[tuple[str, str, dict[str, Any]]] = []
    by = {"by": actor, "type": meta.type}
    why = {"reason": meta.reason} if meta.reason else {}
    if handed:
        told.append((owner, "handed_to_you", by))
    if taken:
        told.append((previous, "taken_from_you", {**by, "to": owner, **why}))
    if woken:
        told.append((owner, "woken", {**by, **why}))
    named = (user for user in meta.mentions if user != actor)
    told.extend((user, "mention", {**by, "n": meta.n}) for user in named)
    return told


def room_audience(meta: dict[str, Any]) -> Iterable[str]:
    """Whom an event of a room may concern; `room_notice` says whether it does."""
    if meta["type"] == "posted":
        return (*meta["row"]["people"], *(meta.get("mentions") or ()))
    return (meta["user"],) if meta["type"] == "member_joined" else ()


def room_notice(meta: dict[str, Any], user: str) -> tuple[str, dict[str, Any]] | None:
    """(kind, data) of an event of a room for somebody in it since that event or before."""
    actor, kind = meta.get("actor", ""), meta["type"]
    by = {"by": actor, "type": kind}
    if user == actor:
        return None
    direct = "row" in meta and meta["row"]["kind"] == "direct"
    if kind == "posted":
        by["n"] = meta["n"]
        if direct:
            return "direct", by
        return ("mention", by) if user in (meta.get("mentions") or ()) else None
    if kind == "member_joined":
        return ("added", by) if meta["user"] == user else None
    # Whoever a channel was made with is in it from its first event on.
    return ("added", by) if kind == "room_created" and not direct else None

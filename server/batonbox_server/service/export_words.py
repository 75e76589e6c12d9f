"""What a line of a thread says, in words for people who read it later; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["NOTE_WORDS", "SAID", "line_words"]

# Lines that somebody wrote; all others tell what was done.
SAID: Final = frozenset({"received", "replied", "composed", "answered", "noted", "posted"})
NOTE_WORDS: Final = "Internal note"
_RULES: Final = {
    "away": "its owner was away",
    "offline": "its owner was offline",
    "silent": "its owner did not answer",
    "woken": "its owner was away when it was due",
    "membership": "its owner left the inbox",
}
Naming = Callable[[str], str]


def line_words(line: Mapping[str, Any], name_of: Naming, at: Callable[[int], str]) -> str:
    """What a line tells that nobody wrote, "" for one that somebody did."""
    body = line.get("body") or {}
    to = name_of(body["to"]) if body.get("to") else ""
    by = name_of(line["actor"]) if line.get("actor") else ""
    match line["kind"]:
        case "assigned":
            return _assigned(to, by)
        case "transferred":
            return _noted(f"Transferred to {to} by {by}", body)
        case "returned":
            why = _RULES.get(body.get("reason") or "", "")
            return f"Returned to the inbox{f' by {by}' if by else ''}{f': {why}' if why else ''}"
        case "done":
            return f"Marked as done by {by}" if by else "Marked as done"
        case "undone":
            return f"Last change undone by {by}; {f'assigned to {to}' if to else 'with nobody'}"
        case "snoozed":
            until = f" until {at(body['until_ms'])}" if body.get("until_ms") else ""
            return f"Put aside{until} by {by}"
        case "woken":
            return f"Taken up again by {by}" if by else "Due again"
        case kind:
            return _room_words(kind, to, by, body)


def _assigned(to: str, by: str) -> str:
    if not to or to == by or not by:
        return f"Assigned to {to or by}"
    return f"Assigned to {to} by {by}"


def _noted(words: str, body: Mapping[str, Any]) -> str:
    return f"{words}: {body['note']}" if body.get("note") else words


def _room_words(kind: str, to: str, by: str, body: Mapping[str, Any]) -> str:
    match kind:
        case "room_created":
            return f"Created by {by}"
        case "room_changed" if body.get("name"):
            return f"Renamed by {by}: {body['name']}"
        case "room_changed":
            return f"Archived by {by}" if body.get("archived") else f"Opened again by {by}"
        case "member_joined":
            return f"{to} joined" if to == by or not by else f"{to} was added by {by}"
        case "member_removed":
            return f"{to} left" if to == by or not by else f"{to} was taken out by {by}"
    return ""

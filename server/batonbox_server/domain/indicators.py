"""Badges and flags: a pure function of (conversation, viewer, viewer's marks)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from batonbox_server.domain.inbox import Inbox
from batonbox_server.domain.model import Row, Status


class Colour(StrEnum):
    """What a flag or a badge says."""

    NONE = ""
    BLUE = "blue"
    GREEN = "green"
    GREY = "grey"


@dataclass(frozen=True, slots=True)
class Indicator:
    """A row as one viewer sees it; `count` are unanswered messages, shown while unread."""

    flag: Colour
    badge: Colour
    can_reply: bool
    count: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers of conversations; `unassigned` is the queue's depth, whatever has been seen."""

    blue: int
    green: int
    unassigned: int


def indicator(row: Row, viewer: str, *, unread: bool) -> Indicator:
    """The table of states: only my own and the unowned can be badged."""
    if row.status is Status.UNASSIGNED:
        badge = Colour.BLUE if unread else Colour.NONE
        return Indicator(Colour.NONE, badge, False, _count(row, unread))
    if row.status is Status.DONE:
        return Indicator(Colour.NONE, Colour.NONE, False, 0)
    if row.assignee != viewer:
        return Indicator(Colour.GREY, Colour.NONE, False, 0)
    return Indicator(Colour.GREEN, Colour.GREEN if unread else Colour.NONE, True,
                     _count(row, unread))  # fmt: skip


def unread(inbox: Inbox, row: Row, viewer: str) -> bool:
    """Whether the row has something new for this viewer."""
    if row.status is Status.UNASSIGNED:
        return bool(row.att) and not inbox.has_seen(viewer, row)
    return row.assignee == viewer and row.id in inbox.green.get(viewer, set())


def totals(inbox: Inbox, viewer: str) -> Totals:
    """Recounted from the rows, one by one: what every counter must equal."""
    shown = [indicator(row, viewer, unread=unread(inbox, row, viewer)).badge
             for row in inbox.rows.values()]  # fmt: skip
    waiting = sum(row.status is Status.UNASSIGNED for row in inbox.rows.values())
    return Totals(shown.count(Colour.BLUE), shown.count(Colour.GREEN), waiting)


def _count(row: Row, is_unread: bool) -> int:
    return max(1, row.unanswered) if is_unread else 0

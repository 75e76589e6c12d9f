"""docs/concepts.md: its prose, with the tables of states, indicators and rights of the domain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from batonbox_server.domain.indicators import Indicator, indicator
from batonbox_server.domain.model import Kind, Row, Status
from batonbox_server.domain.policy import TABLE, Action, By
from batonbox_server.domain.transitions import EDGES

from .tables import table

__all__ = ["concepts_page"]

_STATES: Final[dict[Status | None, str]] = {
    None: "(new)",
    Status.UNASSIGNED: "Unassigned",
    Status.ASSIGNED: "Assigned",
    Status.DONE: "Done",
}
# Events that may change the state or the owner, and what they are called where people read.
_MOVES: Final[dict[Kind, str]] = {
    Kind.RECEIVED: "a customer writes",
    Kind.ASSIGNED: "*Assign to Me*, or an admin assigns it to a colleague",
    Kind.TRANSFERRED: "*Transfer*, or an admin takes it over",
    Kind.RETURNED: "*Return to Inbox*, or its owner is away, gone or silent",
    Kind.DONE: "*Mark as Done*",
    Kind.COMPOSED: "a member writes first",
    Kind.UNDONE: "*Undo*, within ten seconds",
}
_ACTIONS: Final = (
    Action.SEE, Action.ASSIGN, Action.DISPATCH, Action.REPLY, Action.NOTE, Action.TRANSFER,
    Action.RETURN, Action.FINISH, Action.SNOOZE, Action.TAKE_OVER, Action.COMPOSE, Action.TALK,
    Action.CHANNELS, Action.CONTACTS, Action.ADMINISTER,
)  # fmt: skip
_ME, _OTHER = "me", "somebody else"


def concepts_page(prose: str) -> str:
    """The page; a marker `{{name}}` in the prose stands for a table."""
    return re.sub(r"\{\{(\w+)\}\}", lambda m: _TABLES[m[1]](), prose)


def _edges() -> str:
    rows = []
    for kind, says in _MOVES.items():
        before = {b for b, _ in EDGES[kind]}
        for state in _STATES:
            if state not in before:
                continue
            after = [_STATES[a] for a in Status if (state, a) in EDGES[kind]]
            rows.append((says, f"`{kind}`", _STATES[state], " or ".join(after)))
    return table(("what happens", "event", "from", "to"), rows)


def _indicators() -> str:
    return table(("state", "flag", "badge when there is news", "reply field"), _seen())


def _seen() -> Iterator[tuple[str, str, str, str]]:
    for says, status, assignee in (
        ("Unassigned", Status.UNASSIGNED, ""),
        ("Assigned to Me", Status.ASSIGNED, _ME),
        ("Assigned to somebody else", Status.ASSIGNED, _OTHER),
        ("Done", Status.DONE, ""),
    ):
        row = Row("box.1", "+14165550100", "+14165550142", status=status, assignee=assignee)
        new = indicator(row, _ME, unread=True)
        old = indicator(row, _ME, unread=False)
        assert old.badge == "", "a badge without news"
        yield says, _colour(new.flag), _colour(new.badge), _reply(new)


def _colour(colour: str) -> str:
    return f"**{colour}**" if colour else "none"


def _reply(seen: Indicator) -> str:
    return "on" if seen.can_reply else "off"


def _rights() -> str:
    def cell(slug: str) -> str:
        return f"`{slug}`" if slug else "yes"

    def both(by: By) -> str:
        if by.member == by.admin:
            return cell(by.member)
        return f"{cell(by.member)}; admins: {cell(by.admin)}"

    rows = []
    for action in _ACTIONS:
        rule = TABLE[action]
        cells = [both(rule.nobody), both(rule.caller), both(rule.other)]
        rows.append((str(action), cell(rule.stranger), *cells))
    return table(("who wants to", "not a member", "nobody has it", "mine", "somebody else's"), rows)


_TABLES: Final[dict[str, Callable[[], str]]] = {
    "edges": _edges,
    "indicators": _indicators,
    "rights": _rights,
}

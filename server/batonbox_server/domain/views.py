"""Which rows a view shows, and in which order."""

from __future__ import annotations

from collections.abc import Iterable

from batonbox_server.domain.model import Row, Status


def shows(view: str, row: Row, viewer: str) -> bool:
    """Whether the row stands in the viewer's view."""
    match view:
        case "unassigned":
            return row.status is Status.UNASSIGNED
        case "mine":
            return row.status is Status.ASSIGNED and row.assignee == viewer
        case "others":
            return row.status is Status.ASSIGNED and row.assignee != viewer
        case "open":
            return row.status is not Status.DONE
        case "done":
            return row.status is Status.DONE
        case _:
            return view in ("all", "walk")


def ordered(view: str, rows: Iterable[Row], viewer: str) -> list[Row]:
    """Newest change first; a walk goes the other way, so that a moving row is met again."""
    shown = [row for row in rows if shows(view, row, viewer)]
    return sorted(shown, key=lambda row: (row.last_ms, row.id), reverse=view != "walk")

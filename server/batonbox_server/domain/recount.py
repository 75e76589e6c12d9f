"""Where a conversation has to stand in its inbox's indexes, by its row alone (I10): brute force."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from batonbox_server.domain.model import Row, Status

__all__ = ["LISTS", "board_key", "indexes", "places"]

# Sorted indexes that are no single person's; `as:<user>` and `ow:<user>` are.
LISTS: Final = ("un", "op", "done", "wq", "ow", "sno", "ar")
# As lua/lib/kept.lua: conversations are counted from so many lines on, in steps.
_LEAST: Final = 12
_STEP: Final = 4


def places(row: Row, *, acted_ms: int, held: int) -> dict[str, int]:
    """The sorted indexes that name it, each with its score; it is in no other.

    `acted_ms`: since when its owner does nothing about it; `held`: its lines in the engine.
    """
    found: dict[str, int] = {}
    if row.status is Status.DONE:
        found["done"] = row.last_ms
    else:
        found["op"] = row.last_ms
        found[f"as:{row.assignee}" if row.status is Status.ASSIGNED else "un"] = row.last_ms
    if row.status is Status.UNASSIGNED and row.waiting_since:
        found["wq"] = row.waiting_since
    if row.status is Status.ASSIGNED and row.unanswered and not row.snoozed_until:
        found["ow"] = max(row.waiting_since, acted_ms)
        found[f"ow:{row.assignee}"] = acted_ms
    if row.snoozed_until:
        found["sno"] = row.snoozed_until
    if held >= _LEAST:
        found["ar"] = held - held % _STEP
    return found


def board_key(row: Row) -> str:
    """How it stands among the unassigned with attention (`unm`); "" where it does not."""
    waits = row.status is Status.UNASSIGNED and row.att
    return f"{row.id}:{row.att}" if waits else ""


def indexes(
    rows: Iterable[Row], *, acted: Mapping[str, int], held: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """Every sorted index of these rows, each with its conversations and their scores."""
    found: dict[str, dict[str, int]] = {name: {} for name in LISTS}
    for row in rows:
        of_row = places(row, acted_ms=acted.get(row.id, 0), held=held.get(row.id, 0))
        for name, score in of_row.items():
            found.setdefault(name, {})[row.id] = score
    return found

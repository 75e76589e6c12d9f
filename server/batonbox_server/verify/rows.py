"""One conversation against everything that has to agree with its row; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from batonbox_server.domain.model import Delivery, Row, Status
from batonbox_server.domain.recount import board_key, places

from .findings import Finding

__all__ = ["SCORED", "Seen", "of_lines", "of_log", "of_place", "of_row", "row_of_fields"]

# In the order in which verify_rows.lua tells scores; then `as` and `ow` of the assignee.
SCORED: Final = ("op", "done", "un", "wq", "ow", "sno", "ar", "out")
_FIELDS: Final = Row.__dataclass_fields__
_NUMBERS: Final = frozenset(name for name, f in _FIELDS.items() if f.type == "int")


@dataclass(frozen=True, slots=True)
class Seen:
    """A conversation at one instant, when its log ended at `seq`; `row` None: the engine has none.

    `scores`: of the indexes that name it, `out` among them. `pair`: the conversation that its
    number and customer name. `held`: how many lines are here; `lines`: the first of them, decoded.
    `out`: numbers of those that wait to be sent. `there`: whether the index that was asked for has
    it.
    """

    conv: str
    seq: int
    row: Row | None
    numbers: dict[str, int]
    scores: dict[str, int]
    on_board: bool
    is_green: bool
    pair: str
    held: int
    lines: list[list[Any]]
    out: list[int]
    there: bool


def row_of_fields(raw: dict[str, bytes]) -> Row:
    """A row as the engine keeps it. Raises ValueError, KeyError."""
    told: dict[str, Any] = {}
    for name in _FIELDS:
        if name not in raw and name in {"snoozed_until", "opted_out"}:
            continue  # rows of before there were such
        told[name] = int(raw[name]) if name in _NUMBERS else raw[name].decode(errors="replace")
    return Row(**{**told, "status": Status(told["status"])})


def of_row(seen: Seen) -> Iterator[Finding]:
    """The row's own numbers, its places in the indexes, its pair and the length of its thread."""
    row = seen.row
    if row is None:
        return
    purged, trimmed = seen.numbers["purged"], seen.numbers["trimmed"]
    if not (0 <= purged <= trimmed <= row.n and 0 < row.rev <= seen.seq):
        is_now = f"purged {purged}, trimmed {trimmed}, n {row.n}, rev {row.rev} of {seen.seq}"
        yield Finding("row_numbers", row.id, is_now, "0 <= purged <= trimmed <= n, rev in the log")
    yield from _of_indexes(seen, row)
    if seen.on_board != bool(board_key(row)):
        has = "counts" if seen.on_board else "does not count"
        yield Finding(
            "badge_blue", row.id, f"everybody's blue badge {has} it",
            f"it is {row.status}, its attention {row.att or 'none'}",
        )  # fmt: skip
    if seen.is_green and row.status is not Status.ASSIGNED:
        yield _stray_green(seen, row)
    if seen.pair != row.id:
        named = seen.pair or "nothing"
        yield Finding("pair_wrong", row.id, f"{row.our}|{row.customer} names {named}", row.id)
    if seen.held != row.n - trimmed:
        should = f"{row.n - trimmed}: {row.n} of which {trimmed} have left"
        yield Finding("thread_length", row.id, f"{seen.held} lines are in the engine", should)


def _of_indexes(seen: Seen, row: Row) -> Iterator[Finding]:
    # How long its thread should be decides where it is, not how long it is.
    held = row.n - seen.numbers["trimmed"]
    want = places(row, acted_ms=seen.numbers["acted_ms"], held=held)
    for name in sorted((want.keys() | seen.scores.keys()) - {"out"}):
        is_at, should = seen.scores.get(name), want.get(name)
        if is_at == should:
            continue
        state = f"the row is {row.status} {row.assignee}".strip()
        if is_at is None:
            yield Finding("index_missing", row.id, f"{name} has it not", f"at {should}: {state}")
        elif should is None:
            yield Finding("index_stray", row.id, f"{name} has it at {is_at}", f"not: {state}")
        else:
            yield Finding("index_score", row.id, f"{name} has it at {is_at}", f"at {should}")


def _stray_green(seen: Seen, row: Row) -> Finding:
    should = f"the row is {row.status} {row.assignee}".strip()
    return Finding("badge_green", seen.conv, "a green badge counts it", should)


def of_place(seen: Seen, index: str, member: str) -> Iterator[Finding]:
    """An index had `member`; does the row that this is of say so, too?"""
    if not seen.there:
        return
    row = seen.row
    if index == "unm":
        if row is None or board_key(row) != member:
            should = f"the row says {board_key(row) or row.status}" if row else "there is no row"
            yield Finding("badge_blue", seen.conv, f"blue badges count {member}", should)
    elif index.startswith("gm:"):
        whose = index.removeprefix("gm:")
        if row is None or row.status is not Status.ASSIGNED or row.assignee != whose:
            should = f"the row is {row.status} {row.assignee}".strip() if row else "there is no row"
            yield Finding("badge_green", seen.conv, f"{whose}'s green badge counts it", should)
    elif row is None:
        yield Finding("index_stray", seen.conv, f"{index} has it", "there is no row")
    elif index.startswith(("as:", "ow:")) and index not in seen.scores:
        # Those of the assignee are judged with the row.
        should = f"not: the row is {row.status} {row.assignee}".strip()
        yield Finding("index_stray", seen.conv, f"{index} has it", should)


def of_log(seen: Seen, logged: Row | None) -> Iterator[Finding]:
    """The row against the last one that the log tells of it, where it has not changed since."""
    row = seen.row
    if row is None or logged is None or row.rev > logged.rev:
        return
    if row.rev < logged.rev:
        yield Finding(
            "row_differs", row.id, f"the row is of {row.rev}", f"of {logged.rev}, as logged"
        )
    elif row != logged:
        apart = [name for name in _FIELDS if getattr(row, name) != getattr(logged, name)]
        is_now = ", ".join(f"{name} {getattr(row, name)!r}" for name in apart)
        should = ", ".join(f"{name} {getattr(logged, name)!r}" for name in apart)
        yield Finding("row_differs", row.id, is_now, f"{should}, as logged at {row.rev}")


def of_lines(
    conv: str,
    lines: Sequence[list[Any]],
    out: Sequence[int],
    *,
    first: int,
    here: tuple[int, int],
    seq: int,
) -> Iterator[Finding]:
    """Lines from number `first` on and what waits to be sent, at one instant.

    `here`: the first and the last number that the row says are in the engine.
    """
    want = list(range(first, first + len(lines)))
    if [line[0] for line in lines] != want:
        wrong = next(i for i, line in enumerate(lines) if line[0] != want[i])
        is_now = f"number {lines[wrong][0]} stands at {want[wrong]}"
        yield Finding("thread_numbers", conv, is_now, "each line at its number")
    seqs = [line[1] for line in lines]
    if any(b <= a for a, b in pairwise(seqs)) or (seqs and seqs[-1] > seq):
        yield Finding("thread_numbers", conv, f"lines are of {seqs}", f"rising, up to {seq}")
    queued = {line[0] for line in lines if line[6] == Delivery.QUEUED}
    waiting = {n for n in out if first <= n < first + len(lines)}
    for n in sorted(queued - waiting):
        should = "it waits to be sent, or its state says what became of it"
        yield Finding("outbox_missing", conv, f"message {n} is queued and waits nowhere", should)
    for n in sorted(waiting - queued):
        yield Finding(
            "outbox_stray", conv, f"message {n} waits and is not queued", "one or the other"
        )
    for n in sorted(set(out)):
        if out.count(n) > 1:
            yield Finding("outbox_stray", conv, f"message {n} waits {out.count(n)} times", "once")
        if not here[0] <= n <= here[1]:
            is_now, should = f"message {n} waits", f"{here[0]} to {here[1]} are in the engine"
            yield Finding("outbox_stray", conv, is_now, should)


def of_out(seen: Seen) -> Iterator[Finding]:
    """Whether its line of waiting messages is among those that are looked at."""
    if bool(seen.out) != ("out" in seen.scores):
        has = f"{len(seen.out)} wait, and out has it {'' if 'out' in seen.scores else 'not'}"
        name = "outbox_missing" if seen.out else "outbox_stray"
        yield Finding(name, seen.conv, has.strip(), "both or neither")

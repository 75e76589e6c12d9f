"""What happens because people are away, gone or silent, or put something aside; or by time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from batonbox_server.domain.inbox import MINUTE_MS, Inbox
from batonbox_server.domain.model import Kind, ReopenTo, Row
from batonbox_server.domain.transitions import AS, DONE, Command, Refusal, Step

__all__ = ["BATCH", "VERBS", "released", "reopened"]

BATCH: Final = 100
SNOOZE_MAX_MS: Final = 366 * 24 * 60 * MINUTE_MS


def released(step: Step, row: Row) -> Row:
    """A customer who writes to somebody who is away writes to everybody."""
    why = step.inbox.absent(row, step.at_ms) if row.status is AS else ""
    return step.given_back(row, why) if why else row


def reopened(step: Step, row: Row, salt: str) -> Row:
    """What a customer's message ends: being done, and being put aside."""
    inbox, last = step.inbox, row.last_assignee
    to_last = inbox.options.reopen_to is ReopenTo.LAST_ASSIGNEE and inbox.available(last)
    if row.status is DONE and to_last:
        row, _ = step.to_assigned(row, last, salt, handed=True)
    elif row.status is DONE:
        row = step.to_unassigned(row, "", salt)
    elif row.snoozed_until:
        row = _woken(step, row)
    return row


def snooze(step: Step, command: Command) -> None:
    """Put one's own aside: it stays one's own, and is not unread."""
    step.standing()
    row = step.row()
    step.owner_only(row)
    if not step.at_ms < command.at_ms <= step.at_ms + SNOOZE_MAX_MS:
        raise Refusal("bad_time")
    step.inbox.acted[row.id] = step.at_ms
    new = replace(row, snoozed_until=command.at_ms)
    step.record(Kind.SNOOZED, row, new, actor=command.actor, unseen=False)


def wake(step: Step, command: Command) -> None:
    """End it; nothing new is in the conversation."""
    step.standing()
    row = step.row()
    step.owner_only(row)
    if not row.snoozed_until:
        return
    unseen = row.id in step.inbox.green.get(row.assignee, set())
    new = _woken(step, row)
    step.record(Kind.WOKEN, row, new, actor=command.actor, unseen=unseen, reason="owner")


def due(step: Step, command: Command) -> None:
    """What fell due by the time `at_ms`, in one batch and each as nobody's act."""
    inbox, at_ms = step.inbox, command.at_ms
    # The indexes are written when all is decided.
    was = replace(inbox, rows=dict(inbox.rows), acted=dict(inbox.acted))
    met: set[str] = set()
    if inbox.jobs:
        _sweep(step, inbox.jobs[0], met)
    asleep = [(row.snoozed_until, row.id) for row in was.rows.values() if row.snoozed_until]
    for row in _ripe(step, asleep, at_ms, met):
        if inbox.absent(row, at_ms) or not inbox.owner_counts(row):
            _take_back(step, row, "woken")
        else:
            new = replace(_woken(step, row), att=step.mark("att" + row.id))
            step.record(Kind.WOKEN, row, new, actor="", unseen=True, reason="due")
    silent = [(was.silent_since(row), row.id) for row in was.owed()]
    for row in _ripe(step, silent, _ago(at_ms, inbox.options.silent_min), met):
        _take_back(step, row, "silent")
    till = _ago(at_ms, inbox.options.offline_min)
    gone = [(since, user) for user, since in was.gone_since().items() if since <= till]
    for _, user in sorted(gone)[:BATCH]:
        left = [(was.acted.get(row.id, 0), row.id) for row in was.owed() if row.assignee == user]
        for row in _ripe(step, left, till, met):
            _take_back(step, row, "offline")


def options(step: Step, command: Command) -> None:
    """The rules of the inbox, unless a later position has spoken."""
    _heed(step.inbox, ("options", ""), command)
    step.inbox.options = command.options


def away(step: Step, command: Command) -> None:
    """What somebody set of their availability, likewise."""
    _heed(step.inbox, ("away", command.to), command)
    step.inbox.away[command.to] = command.mode


def offline(step: Step, command: Command) -> None:
    """Since when somebody has no connection, likewise."""
    _heed(step.inbox, ("offline", command.to), command)
    step.inbox.offline[command.to] = command.at_ms


VERBS: Final[dict[str, Callable[[Step, Command], None]]] = {
    f.__name__: f for f in (snooze, wake, due, options, away, offline)
}


def _woken(step: Step, row: Row) -> Row:
    # The owner's time begins anew: whoever slept has not been silent.
    step.inbox.acted[row.id] = step.at_ms
    return replace(row, snoozed_until=0)


def _ripe(step: Step, index: Iterable[tuple[int, str]], till: int, met: set[str]) -> list[Row]:
    room = BATCH - len(step.facts)
    found = [conv for score, conv in sorted(index) if score <= till][:room]
    fresh = [conv for conv in found if conv not in met]
    met.update(fresh)
    return [step.inbox.rows[conv] for conv in fresh]


def _take_back(step: Step, row: Row, reason: str) -> None:
    step.given_back(row, reason if step.inbox.owner_counts(row) else "membership")


def _sweep(step: Step, user: str, met: set[str]) -> None:
    mine = [row for row in step.inbox.rows.values() if row.status is AS and row.assignee == user]
    held = sorted(mine, key=lambda row: row.last_ms)[:BATCH]
    before = len(step.facts)
    for row in held:
        met.add(row.id)
        step.released(row)
    if len(step.facts) - before < BATCH or len(mine) == BATCH:
        step.inbox.jobs.remove(user)


def _ago(at_ms: int, minutes: int) -> int:
    return at_ms - minutes * MINUTE_MS if minutes else 0


def _heed(inbox: Inbox, about: tuple[str, str], command: Command) -> None:
    if command.at < inbox.told.get(about, 0):
        raise Refusal("stale")
    inbox.told[about] = command.at

"""A round's records put in order, once, for all checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from batonbox_server.torture.record import (
    Call,
    Checked,
    Entry,
    Fault,
    Final,
    Observed,
    Outcome,
    Record,
    Said,
    Sample,
)

# Refusals after which nobody knows whether the command took effect.
UNKNOWN = frozenset({"unavailable", "internal", "durability_timeout"})


@dataclass(slots=True)
class Command:
    """All attempts of one command id: from the first one's begin to the last word about it."""

    call: Call
    began_ns: int
    attempts: int = 0
    outcome: Outcome | None = None
    records: list[int] = field(default_factory=list)

    @property
    def ended_ns(self) -> int | None:
        """When its answer came; None: there is none to rely on."""
        return self.outcome.ended_ns if self.outcome else None

    @property
    def ok(self) -> bool:
        """It took effect, or there was nothing to do."""
        return self.outcome is not None and self.outcome.kind == "ok"

    @property
    def conv(self) -> str:
        """The conversation, told by the call or by its answer; "" for none."""
        told = self.outcome.reply.get("conv", "") if self.outcome else ""
        return self.call.conv or str(told)


@dataclass(slots=True)
class Step:
    """An entry of the log, decoded."""

    entry: Entry
    seq: int
    meta: dict[str, Any]
    body: Any
    tip: str


@dataclass(slots=True)
class InboxRound:
    """What belongs to one inbox; `start` is the truth before, if it was given."""

    inbox: str
    start: Final | None = None
    end: Final | None = None
    end_record: int = -1
    steps: list[Step] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)  # entries that are no frames
    commands: list[Command] = field(default_factory=list)
    said: list[tuple[int, Said]] = field(default_factory=list)
    seen: dict[str, list[tuple[int, Observed]]] = field(default_factory=lambda: defaultdict(list))
    checked: list[tuple[int, Checked]] = field(default_factory=list)

    @property
    def first(self) -> int:
        """The oldest kept entry's seq; one beyond the end when none is kept."""
        if self.end is None:
            return 1
        return self.end.log[0].seq if self.end.log else self.end.head[0] + 1

    @property
    def same_epoch(self) -> bool:
        """Whether the truth before is of the history that the end shows."""
        return bool(self.start and self.end and self.start.epoch == self.end.epoch)


@dataclass(slots=True)
class Round:
    """Everything of a round."""

    inboxes: dict[str, InboxRound]
    faults: list[tuple[int, Fault]]
    samples: list[tuple[int, Sample]]
    users: dict[str, str]  # client -> user

    @property
    def may_lose(self) -> bool:
        """Whether a fault of this round may lose acknowledged writes (`detail["may_lose"]`)."""
        return bool(self.losing)

    @property
    def losing(self) -> list[Fault]:
        """Those faults."""
        return [fault for _, fault in self.faults if fault.detail.get("may_lose")]

    @property
    def calm_ns(self) -> int:
        """When the last fault ended; 0 without faults."""
        return max((fault.ended_ns for _, fault in self.faults), default=0)


def sort_out(records: Sequence[Record]) -> Round:
    """Sort records by inbox; `Final`s before all else are where the round starts."""
    sorting = _Sorting()
    for number, record in enumerate(records):
        sorting.take(number, record)
    for box in sorting.boxes.values():
        _decode(box)
    return Round(sorting.boxes, sorting.faults, sorting.samples, sorting.users)


class _Sorting:
    """Takes one record after the other."""

    def __init__(self) -> None:
        self.boxes: dict[str, InboxRound] = {}
        self.faults: list[tuple[int, Fault]] = []
        self.samples: list[tuple[int, Sample]] = []
        self.users: dict[str, str] = {}
        self._calls: dict[int, Command] = {}
        self._by_cid: dict[tuple[str, str, str], Command] = {}
        self._leading = True

    def take(self, number: int, record: Record) -> None:
        """The next record."""
        match record:
            case Call():
                self._call(number, record)
            case Outcome():
                self._outcome(number, record)
            case Observed():
                if record.user:
                    self.users[record.client] = record.user
                self._box(record.inbox).seen[record.client].append((number, record))
            case Said():
                self._box(record.inbox).said.append((number, record))
            case Checked():
                self._box(record.inbox).checked.append((number, record))
            case Fault():
                self.faults.append((number, record))
            case Sample():
                self.samples.append((number, record))
            case Final():
                self._truth(number, record)
        self._leading = self._leading and isinstance(record, Final)

    def _box(self, inbox: str) -> InboxRound:
        return self.boxes.setdefault(inbox, InboxRound(inbox))

    def _truth(self, number: int, final: Final) -> None:
        box = self._box(final.inbox)
        if self._leading and box.start is None:
            box.start = final
        else:
            box.end, box.end_record = final, number

    def _call(self, number: int, call: Call) -> None:
        self.users[call.client] = call.user
        key = (call.inbox, call.user, call.cid)
        command = self._by_cid.get(key) if call.cid else None
        if command is None:
            command = self._by_cid[key] = Command(call, call.began_ns)
            self._box(call.inbox).commands.append(command)
        command.attempts += 1
        command.records.append(number)
        self._calls[call.id] = command

    def _outcome(self, number: int, outcome: Outcome) -> None:
        """The first success counts; a refusal only of a command that was sent once.

        Of one that was sent again, the first attempt may take effect behind the refusal of the
        second.
        """
        command = self._calls.get(outcome.id)
        if command is None:
            return
        command.records.append(number)
        if command.ok or outcome.kind == "unknown" or (outcome.slug or "") in UNKNOWN:
            return
        if outcome.kind == "ok" or command.attempts == 1:
            command.outcome = outcome


def _decode(box: InboxRound) -> None:
    for entry in box.end.log if box.end else []:
        try:
            seq, meta, body, tip = entry.decoded()
            box.steps.append(Step(entry, int(seq), dict(meta), body, str(tip)))
        except (ValueError, TypeError):
            box.unread.append(entry.seq)

"""What one run writes down: the seam between the driver of a torture run and its checkers.

Every time is `time.monotonic_ns()` of the one driver process. Records stand in the order in which
they were written; on disk they are JSON lines, one file per run. A record's number is its index.

A round ends with one `Final` per inbox, read from the engine at rest. The records handed to
`checking.check_round` may begin with the `Final`s of the round before: they are where it starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO

import msgpack  # type: ignore[import-untyped]
import msgspec

OutcomeKind = Literal["ok", "refused", "unknown"]
ObservedKind = Literal["event", "snapshot", "reset", "closed", "badge", "unsubscribed"]
CarrierName = Literal["loopback", "webhook"]
Position = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command is about to be sent; a resend is a call of its own, with the same `cid`.

    `verb` is the wire's name (assign, transfer, return, done, undo, reply, note, compose, ...), or
    `member_add`, `member_remove` over HTTP with `args` {user, role}. `args` are the wire's
    arguments (own_tok, to, seen, text, ...). `conv` is "" where it is not known before.
    """

    id: int
    client: str
    user: str
    node: str
    verb: str
    inbox: str
    conv: str
    cid: str
    args: dict[str, Any]
    began_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended, at most one per call; none is the same as `unknown`.

    `ok`: `reply` is the OK's map and (seq, tip) its position. `refused`: `slug`, and `cur` the row
    that was told. `unknown`: whether it took effect is not known (a cut connection, a time-out, or
    the slugs of `checking.rounds.UNKNOWN`).
    """

    id: int
    kind: OutcomeKind
    ended_ns: int
    seq: int | None = None
    tip: str | None = None
    slug: str | None = None
    cur: dict[str, Any] | None = None
    reply: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a client saw of an inbox, in the order in which it saw it.

    `event`: seq, tip, meta, and `body_hash`. `snapshot`: seq, tip and `rows` (the open ones).
    `reset`: reason, and the cids it says are lost. `closed`: reason is the close code. `badge`:
    (blue, green, unassigned) as of `seq`. `unsubscribed`: reason is the error number. A resume at
    the client's own position that the server accepts is not written down: nothing was missed.
    `epoch` is that of the client's last snapshot.
    """

    client: str
    inbox: str
    epoch: str
    kind: ObservedKind
    seq: int
    tip: str
    at_ns: int
    user: str = ""
    meta: dict[str, Any] | None = None
    body_hash: str | None = None
    rows: list[dict[str, Any]] | None = None
    reason: str | None = None
    lost: list[str] = field(default_factory=list)
    badge: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something was broken, and whole again at `ended_ns`; `detail` says what was done."""

    kind: str
    target: str
    began_ns: int
    ended_ns: int
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A customer's message, and when the carrier got its 2xx: None, never.

    `text` is in no other message of the run: the log keeps texts, not the carrier's ids. `places`:
    where it went, conversation and number, as each 2xx said, of the times it was `brought`.
    """

    provider_id: str
    inbox: str
    customer: str
    began_ns: int
    text: str
    acknowledged_ns: int | None = None
    carrier: CarrierName = "loopback"
    places: list[tuple[str, int]] = field(default_factory=list)
    brought: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An answer to CHECK: which of these acknowledged positions are missing from the log."""

    client: str
    inbox: str
    at_ns: int
    asked: list[Position]
    missing: list[Position]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A node's process at an instant; `stalled` of its connections do not read."""

    node: str
    at_ns: int
    resident_bytes: int
    connections: int
    stalled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a log: the tip before it, and the frame `[20, inbox, seq, meta, body, tip]`."""

    seq: int
    prev: str
    frame: bytes

    @property
    def core(self) -> bytes:
        """The bytes that the tip hashes: the frame without its last element."""
        return self.frame[:-17]

    def decoded(self) -> tuple[int, dict[str, Any], Any, str]:
        """The frame's seq, meta, body and tip."""
        _, _, seq, meta, body, tip = msgpack.unpackb(self.frame)
        return seq, meta, body, tip


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """The truth about an inbox, read from the engine at rest.

    `log`: all kept entries, oldest first. `rows`: every public row, done ones too. `threads`:
    {conv: its kept lines}. `marks`: {user: {"seen": [...], "green": [...]}}, the sets `:su:` and
    `:gm:`. `totals`: {user: (blue, green, unassigned)}, as the engine's `me` counts. `members`:
    {user: {role, joined, since_seq}}. `indexes`: {key without the prefix: {member: score}}, score 0
    in sets: `un op done unm`, `as:<user>` and `gm:<user>`. `outbox`: {conv: numbers that wait}.
    """

    inbox: str
    epoch: str
    head: Position
    log: list[Entry]
    rows: list[dict[str, Any]]
    at_ns: int
    threads: dict[str, list[Any]] = field(default_factory=dict)
    marks: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    totals: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    indexes: dict[str, dict[str, int]] = field(default_factory=dict)
    outbox: dict[str, list[int]] = field(default_factory=dict)


Record = Call | Outcome | Observed | Fault | Said | Checked | Sample | Final
_KINDS: dict[str, type] = {
    kind.__name__.lower(): kind
    for kind in (Call, Outcome, Observed, Fault, Said, Checked, Sample, Final)
}


def encode(record: Record) -> str:
    """One line, without its end."""
    line = {"is": type(record).__name__.lower(), **msgspec.to_builtins(record)}
    return msgspec.json.encode(line).decode()


def decode(line: str | bytes) -> Record:
    """The record of a line; ValueError says what is wrong with it."""
    try:
        fields = msgspec.json.decode(line)
        kind = _KINDS[fields.pop("is")]
        record: Record = msgspec.convert(fields, kind)
    except (msgspec.DecodeError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"not a record of a torture run: {error!r}") from error
    return record


class Recorder:
    """Appends records to a file; holds none of them."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", encoding="utf-8")
        self.written = 0

    def write(self, record: Record) -> int:
        """Append; returns the record's number in this run."""
        self._file.write(encode(record) + "\n")
        self.written += 1
        return self.written - 1

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Flush and close."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read(path: Path, *, first: int = 0) -> Iterator[Record]:
    """The records of a file from number `first`; ValueError names the line that is none."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            if number < first:
                continue
            try:
                yield decode(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number + 1}: {error}") from error


def write(path: Path, records: Iterable[Record]) -> None:
    """All of them, into a new file."""
    path.unlink(missing_ok=True)
    with Recorder(path) as recorder:
        for record in records:
            recorder.write(record)

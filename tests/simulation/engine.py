"""A model of the engine: one inbox's log with tips, decided by the domain, in memory.

It answers what the hub and the commands ask (the ports of `hub/port.py` and `session/ports.py`),
and it fails as engines do: a replica that lags may take over, and what it has not got is lost.
`test_engine.py` compares it with the real scripts.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.inbox import Fact, Inbox, Stamp
from batonbox_server.domain.indicators import totals
from batonbox_server.domain.model import Kind, Row
from batonbox_server.domain.replay import chain
from batonbox_server.domain.transitions import Command, Refusal, Step
from batonbox_server.domain.verbs import VERBS
from batonbox_server.domain.views import ordered
from batonbox_server.store.port import Board, Head, LogEntry, Marks, Snapshot
from batonbox_server.torture.record import Entry, Final

OUR = "+15550100"
NO_TIP = "0" * 16


@dataclass(slots=True)
class State:
    """Everything the engine keeps of the inbox: what a failover may take back."""

    epoch: str
    inbox: Inbox = field(default_factory=lambda: Inbox(numbers={OUR}))
    log: list[LogEntry] = field(default_factory=list)
    tip: str = NO_TIP
    last_ms: int = 1_000
    replies: dict[tuple[str, str], tuple[str, dict[str, Any] | str]] = field(default_factory=dict)
    versions: Counter[str] = field(default_factory=Counter)
    first: int = 1  # the oldest kept entry


class Script:
    """One command under way: facts become entries as soon as the next one needs their tip."""

    def __init__(self, state: State, name: str, command: Command, body: bytes) -> None:
        self.state, self.name, self.command, self.body = state, name, command, body
        self.entries: list[LogEntry] = []
        self.step = Step(state.inbox, self.stamp, command)

    def stamp(self, _: int) -> Stamp:
        """Where the next event will stand."""
        self.pack()
        return Stamp(self.state.tip, self.state.last_ms + 1)

    def pack(self) -> None:
        """The frames of the facts so far."""
        for fact in self.step.facts[len(self.entries) :]:
            core = b"\x96\x14" + b"".join(map(msgpack.packb, (self.name, fact.seq)))
            core += msgpack.packb(self._meta(fact)) + self._body(fact)
            prev = self.state.tip
            self.state.tip = chain(prev, core)
            self.state.last_ms += 1
            frame = core + b"\xb0" + self.state.tip.encode()
            self.entries.append(LogEntry(fact.seq, prev, frame))

    def _meta(self, fact: Fact) -> dict[str, Any]:
        meta: dict[str, Any] = {"type": str(fact.kind), "actor": fact.actor}
        if fact.row is None:
            member = self.state.inbox.members.get(fact.user)
            standing = {"role": str(member.role), "joined": member.joined} if member else {}
            fresh = {"fresh": True} if fact.kind is Kind.MEMBER_JOINED else {}
            return {**meta, "user": fact.user, "role": "", **standing, **fresh}
        cid = self.command.cid if fact.actor else ""
        meta |= {"conv": fact.row.id, "cid": cid, "unseen": fact.unseen, "n": fact.row.n}
        meta["row"] = public(fact.row)
        if fact.before is not None:
            was = fact.before
            meta["before"] = {"status": str(was.status), "assignee": was.assignee, "att": was.att}
        return meta | ({"reason": fact.reason} if fact.reason else {})

    def _body(self, fact: Fact) -> bytes:
        says = fact.kind in (Kind.RECEIVED, Kind.REPLIED, Kind.NOTED, Kind.COMPOSED)
        to = fact.row.assignee if fact.row else ""
        packed: bytes = self.body if says else msgpack.packb({"to": to})
        return packed


def public(row: Row) -> dict[str, Any]:
    """A row as it is shown."""
    return {**{f.name: getattr(row, f.name) for f in dataclasses.fields(row)},
            "status": str(row.status)}  # fmt: skip


class Engine:
    """One inbox, `name`; `published(data)` is called with whatever its channel carries."""

    def __init__(self, name: str, *, epoch: str = "e1") -> None:
        self.name = name
        self.state = State(epoch)
        self.replica = pickle.dumps(self.state)
        self.published: Callable[[bytes], None] = lambda _: None
        self.keeps_replies = True

    # Failing

    def replicate(self) -> None:
        """The replica has caught up."""
        self.replica = pickle.dumps(self.state)

    def fail_over(self) -> int:
        """The replica takes over; returns how many events are lost."""
        had = self.state.inbox.seq
        self.state = pickle.loads(self.replica)
        return had - self.state.inbox.seq

    # Commands

    def run(self, verb: str, *, actor: str = "", cid: str = "", **more: Any) -> dict[str, Any]:
        """A script: the reply as a command's result. Raises Refusal."""
        state = self.state
        asked = sorted((k, v) for k, v in more.items() if k not in {"own_tok", "seen"})
        digest = hashlib.sha1(repr((verb, asked)).encode(), usedforsecurity=False).hexdigest()
        if cid and self.keeps_replies and (stored := state.replies.get((actor, cid))):
            if stored[0] != digest:
                raise Refusal("idempotency_mismatch")
            assert isinstance(stored[1], dict)
            return stored[1]
        text = more.get("text", "")
        body: bytes = msgpack.packb({"text": text})
        command = Command(verb=verb, actor=actor, cid=cid, body=body, **more)
        script = Script(state, self.name, command, body)
        marks = self._marks_before(command)
        try:
            VERBS[verb](script.step, command)
        except Refusal:
            self._commit(script)
            raise
        self._commit(script)
        self._publish_marks(command, marks)
        reply = self._reply(command, noop=not script.entries)
        if cid:
            state.replies[actor, cid] = (digest, reply)
        return reply

    def _commit(self, script: Script) -> None:
        script.pack()
        self.state.log += script.entries
        told = b"".join(
            entry.prev.encode() + len(entry.frame).to_bytes(4, "big") + entry.frame
            for entry in script.entries
        )
        if told:
            self.published(b"E" + told)

    def _reply(self, command: Command, *, noop: bool) -> dict[str, Any]:
        state = self.state
        conv = command.conv
        if command.verb in ("receive", "compose"):
            conv = state.inbox.pairs[command.our, command.customer]
        row = state.inbox.rows.get(conv)
        reply: dict[str, Any] = {"conv": conv, "seq": state.inbox.seq, "tip": state.tip}
        if row is not None:
            reply |= {"inbox": self.name, "own_tok": row.own_tok, "att": row.att, "n": row.n}
        return reply | ({"noop": True} if noop else {})

    def _marks_before(self, command: Command) -> tuple[set[str], set[str]]:
        inbox, user = self.state.inbox, command.actor
        return set(inbox.seen.get(user, ())), set(inbox.green.get(user, ()))

    def _publish_marks(self, command: Command, before: tuple[set[str], set[str]]) -> None:
        if command.verb not in ("seen", "unread"):
            return
        inbox, user = self.state.inbox, command.actor
        seen, green = inbox.seen.get(user, set()), inbox.green.get(user, set())
        for kind, was, now in (("blue", before[0], seen), ("green", before[1], green)):
            for key in was ^ now:
                conv, _, att = key.rpartition(":") if kind == "blue" else (key, "", "")
                att = att or inbox.rows[conv].att
                unseen = (key in now) == (kind == "green")
                self.state.versions[user] += 1
                mark = [user, self.state.versions[user], inbox.seq, kind, conv, att, unseen]
                self.published(b"M" + msgpack.packb(mark))

    # Reads, as `store/port.py` words them

    def head(self, at: int = 0) -> Head:
        """The end of the log, and the tip of the entry `at`."""
        state = self.state
        tip_at = self._tip(at)
        return Head(state.epoch, state.inbox.seq, state.tip, tip_at, state.first)

    def _tip(self, seq: int) -> str:
        i = seq - self.state.first
        return self.state.log[i].frame[-16:].decode() if 0 <= i < len(self.state.log) else ""

    def range(self, first: int, last: int) -> list[LogEntry]:
        """Entries as far as they are kept."""
        return [entry for entry in self.state.log if first <= entry.seq <= last]

    def board(self) -> Board:
        """The unassigned with attention."""
        state = self.state
        waiting = totals(state.inbox, "").unassigned
        keys = sorted(state.inbox.board())
        return Board(state.epoch, state.inbox.seq, state.tip, waiting, keys)

    def marks(self, user: str) -> Marks:
        """One user's half."""
        state, board = self.state, self.state.inbox.board()
        member = state.inbox.members.get(user)
        seen = board & state.inbox.seen.get(user, set())
        by_seen = 2 * len(seen) <= len(board)
        return Marks(
            state.inbox.seq,
            state.tip,
            state.versions[user],
            str(member.role) if member else "",
            bool(member and member.joined),
            member.since_seq if member else 0,
            by_seen,
            sorted(seen if by_seen else board - seen),
            sorted(state.inbox.green.get(user, ())),
            len(board) - len(seen),
        )

    def snapshot(self) -> Snapshot:
        """One instant for everybody."""
        state = self.state
        rows = list(state.inbox.rows.values())
        is_open = ordered("open", rows, "")
        counts = {
            "unassigned": len(ordered("unassigned", rows, "")),
            "open": len(is_open),
            "done": len(rows) - len(is_open),
        }
        shown = [public(row) for row in is_open]
        return Snapshot(state.epoch, state.inbox.seq, state.tip, counts, shown, "")

    def final(self, at_ns: int) -> Final:
        """The truth, as a torture run reads it."""
        state = self.state
        inbox = state.inbox
        users = inbox.members.keys() | inbox.seen.keys() | inbox.green.keys()
        told = {user: self.marks(user) for user in sorted(inbox.members)}
        waiting = totals(inbox, "").unassigned
        return Final(
            inbox=self.name,
            epoch=state.epoch,
            head=(inbox.seq, state.tip),
            log=[Entry(seq=entry.seq, prev=entry.prev, frame=entry.frame) for entry in state.log],
            rows=[public(row) for row in inbox.rows.values()],
            at_ns=at_ns,
            marks={
                user: {
                    "seen": sorted(inbox.seen.get(user, ())),
                    "green": sorted(inbox.green.get(user, ())),
                }
                for user in sorted(users)
            },
            totals={user: (m.blue, len(m.green), waiting) for user, m in told.items()},
            members={
                user: {"role": str(m.role), "joined": m.joined, "since_seq": m.since_seq}
                for user, m in sorted(inbox.members.items())
            },
            indexes=indexes_of(inbox),
        )


def indexes_of(inbox: Inbox) -> dict[str, dict[str, int]]:
    """What the scripts' index keys would hold."""
    found: dict[str, dict[str, int]] = {}
    for name, view in (("op", "open"), ("un", "unassigned"), ("done", "done")):
        found[name] = {row.id: row.last_ms for row in ordered(view, inbox.rows.values(), "")}
    for user in inbox.members:
        mine = ordered("mine", inbox.rows.values(), user)
        found[f"as:{user}"] = {row.id: row.last_ms for row in mine}
        found[f"gm:{user}"] = dict.fromkeys(sorted(inbox.green.get(user, ())), 0)
    found["unm"] = dict.fromkeys(sorted(inbox.board()), 0)
    return found

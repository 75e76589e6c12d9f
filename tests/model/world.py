"""Two of the same inbox: one as a value in the domain, one on the engine; and their comparison."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.availability import BATCH
from batonbox_server.domain.inbox import Fact, Inbox, Stamp
from batonbox_server.domain.indicators import totals
from batonbox_server.domain.model import Event, Kind, Member, Role, Row, Status
from batonbox_server.domain.opting import blocked_since
from batonbox_server.domain.recount import indexes
from batonbox_server.domain.replay import Replay, chain, row_of
from batonbox_server.domain.transitions import Command, Refusal
from batonbox_server.domain.verbs import decide
from batonbox_server.domain.views import ordered
from batonbox_server.store.by import by_command, pack_for_lua
from batonbox_server.store.engine import Engine
from batonbox_server.store.scripts import Scripts

USERS = ("ann", "bob", "cy", "adm", "boss")
NUMBERS = ("+15550100", "+15550101")
BODY = bytes(msgpack.packb({"text": "x"}))
# Which of a command's fields each script takes, and under which name.
ARGS: dict[str, dict[str, str]] = {
    "receive": {"candidate": "conv", "our": "our", "customer": "customer",
                "provider_id": "provider_id", "body": "body", "preview": "text"},
    "assign": {"conv": "conv", "to": "to"},
    "transfer": {"conv": "conv", "own_tok": "own_tok", "to": "to", "note": "text"},
    "release": {"conv": "conv", "own_tok": "own_tok"},
    "done": {"conv": "conv", "own_tok": "own_tok", "seen": "seen"},
    "undo": {"conv": "conv", "own_tok": "own_tok"},
    "reply": {"conv": "conv", "own_tok": "own_tok", "body": "body", "preview": "text",
              "seen": "seen"},
    "note": {"conv": "conv", "body": "body"},
    "compose": {"candidate": "conv", "our": "our", "customer": "customer", "body": "body",
                "preview": "text"},
    "retry": {"conv": "conv", "n": "n"},
    "unread": {"conv": "conv"},
    "snooze": {"conv": "conv", "own_tok": "own_tok", "until_ms": "at_ms"},
    "wake": {"conv": "conv", "own_tok": "own_tok"},
    "seen": {"conv": "conv", "att": "seen"},
}  # fmt: skip
SYSTEM_LINES = frozenset(
    {"assigned", "transferred", "returned", "done", "undone", "snoozed", "woken"}
)
# Many reads at once: what a comparison would wait for, dozens of times, is the way there and back.
READS = """
local found = {}
for i, read in ipairs(cmsgpack.unpack(ARGV[1])) do
  found[i] = redis.call(read[1], KEYS[1] .. ":" .. read[2], unpack(read, 3))
end
return found
"""
AHEAD_MS = 3_600_000
WITHOUT_CID = frozenset({"receive", "seen"})


@dataclass
class World:
    """One inbox, twice.

    Its log's clock is ahead of the engine's, so that `clock` is the time of the next event, and
    time passes when the test says so.
    """

    client: Engine
    scripts: Scripts
    name: str
    counts: Counter[str]
    model: Inbox = field(default_factory=Inbox)
    replayed: Replay = field(default_factory=Replay)
    stamps: dict[int, Stamp] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    outbound: list[tuple[str, int]] = field(default_factory=list)
    queued: dict[str, list[int]] = field(default_factory=dict)
    answers: set[tuple[str, int]] = field(default_factory=set)
    commands: int = 0
    clock: int = 0
    left: int = 0
    word: int = 0
    setting_up: bool = False
    away: set[str] = field(default_factory=set)
    purged: dict[str, int] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """The inbox's keys."""
        return f"m{{ib:{self.name}}}"

    async def open(self) -> None:
        """Both begin with the same members and one number."""
        await self.scripts.create_inbox(self.prefix, epoch="e", keep=10_000)
        await self.scripts.number(self.prefix, number=NUMBERS[0], on=1, at=0, brought=1)
        self.model.seq = 2
        self.model.numbers.add(NUMBERS[0])
        await self.passes(AHEAD_MS)
        for user in USERS[:3]:
            await self.run(Command(verb="join", to=user))
        await self.run(Command(verb="join", to="adm", role=Role.ADMIN))
        await self.run(Command(verb="join", to="boss", role=Role.ADMIN, joined=False))

    async def tell(self, verb: str, user: str = "", **fields: Any) -> None:
        """A word about options, or about somebody's availability, that is not late."""
        if verb == "options":
            fields = {"options": replace(self.model.options, **fields)}
        self.word += 1
        await self.run(Command(verb=verb, to=user, at=self.word, **fields))

    async def passes(self, ms: int) -> None:
        """Time goes by."""
        last = await self.client.execute("HINCRBY", f"{self.prefix}:meta", "last_ms", ms)
        self.clock = int(last) + 1

    @asynccontextmanager
    async def at_length(self) -> AsyncIterator[None]:
        """Set up many, and compare once."""
        self.setting_up = True
        yield
        self.setting_up = False
        await self.compare()

    async def run(self, command: Command) -> str:
        """The same command on both; answers, events and the whole state must agree.

        Returns how it was answered.
        """
        self.commands += 1
        seq = self.model.seq
        if command.verb == "due":
            command = replace(command, at_ms=self.clock)
        told = await self._on_engine(command)
        entries = await self._take_events(seq)
        sweeping = bool(self.model.jobs)
        said, facts = self._on_model(command)
        assert told == said, (command, told, said)
        assert [_brief(event) for event in entries] == [_fact(fact) for fact in facts], command
        self.counts[f"{command.verb}:{said}"] += 1
        for fact in facts:
            reopened = fact.before and fact.before.status is Status.DONE and fact.row
            given = "reopened" if reopened and reopened.status is Status.ASSIGNED else ""
            self.counts[f"{fact.kind} {fact.reason or given}"] += 1
        if command.verb == "due" and len(facts) < BATCH and not sweeping:
            assert self.left == 0
        if not self.setting_up:
            await self.compare()
        return said

    async def again(self, command: Command) -> None:
        """A command that succeeded, sent once more: the first answer, and nothing happens."""
        assert await self._on_engine(command) == "ok", command
        assert await self._take_events(self.model.seq) == [], command
        self.counts["again"] += 1

    async def _on_engine(self, command: Command) -> str:
        match command.verb:
            case "join":
                reply = await self.scripts.join(
                    self.prefix,
                    user=command.to,
                    role=str(command.role),
                    joined=int(command.joined),
                    at=0,
                )
            case "remove":
                role = "admin" if command.role is Role.ADMIN else ""
                reply = await self.scripts.remove(self.prefix, user=command.to, role=role, at="")
            case "fail":
                reply = await self.scripts.sent(
                    self.prefix, conv=command.conv, n=command.n, state="failed", carrier_id="",
                    reason="no", unsettled=0, receipt=0,
                )  # fmt: skip
            case "due":
                reply = await self.scripts.due(self.prefix)
                self.left = reply[1]
            case "options" | "away" | "offline":
                reply = await self._tell(command)
            case verb:
                args: dict[str, Any] = {k: getattr(command, f) for k, f in ARGS[verb].items()}
                if verb == "seen":
                    args["actor"] = command.actor
                if verb not in WITHOUT_CID:
                    args["by"] = by_command(
                        actor=command.actor, cid=command.cid, digest="d" * 40, keep=10_000
                    )
                if verb == "note":
                    args["mentions"] = b""
                if verb == "receive":
                    args["turn"], args["keyword"] = 0, _keyword(command)
                reply = await getattr(self.scripts, verb)(self.prefix, **args)
        word = reply[0].decode()
        return "ok" if word in {"duplicate", "idle"} else str(word)

    async def _tell(self, command: Command) -> list[Any]:
        user, at = command.to, command.at
        match command.verb:
            case "options":
                packed = pack_for_lua(asdict(command.options))
                return await self.scripts.options(self.prefix, packed=packed, at=at)
            case "away":
                mode = str(command.mode)
                return await self.scripts.away(self.prefix, user=user, mode=mode, at=at)
            case _:
                since = command.at_ms
                return await self.scripts.offline(
                    self.prefix, user=user, version=at, since_ms=since
                )

    def _on_model(self, command: Command) -> tuple[str, list[Fact]]:
        try:
            facts = decide(self.model, command, self._stamp)
        except Refusal as refusal:
            return refusal.word, refusal.args[1]
        for fact in facts:
            if fact.kind is Kind.ANSWERED and fact.row:
                self.answers.add((fact.row.id, fact.row.n))
            if fact.kind in (Kind.REPLIED, Kind.COMPOSED, Kind.ANSWERED) and fact.row:
                self.outbound.append((fact.row.id, fact.row.n))
                self.queued.setdefault(fact.row.id, []).append(fact.row.n)
            if fact.row and fact.row.own_tok not in self.tokens:
                self.tokens.append(fact.row.own_tok)
        if command.verb == "retry":
            self.queued[command.conv].append(command.n)
        if command.verb == "fail":
            self.queued[command.conv].remove(command.n)
        return "ok", facts

    def _stamp(self, seq: int) -> Stamp:
        # A command that ends up refused may ask for the stamp of an event that never came.
        return self.stamps.get(seq, Stamp(self.replayed.tip, self.clock))

    async def _take_events(self, seq: int) -> list[Event]:
        found = await self._found(
            ("XRANGE", "log", f"{seq + 1}-0", "+"), ("HGET", "meta", "last_ms")
        )
        self.clock = int(found["meta"]) + 1
        events = []
        for _, values in found["log"]:
            fields = dict(zip(values[::2], values[1::2], strict=True))
            frame, prev = fields[b"f"], fields[b"p"].decode()
            _, inbox, number, meta, body, tip = msgpack.unpackb(frame)
            if self.replayed.seq == 0:
                self.replayed.seq, self.replayed.tip = number - 1, prev
            assert prev == self.replayed.tip
            assert chain(prev, frame[:-17]) == tip
            event = Event(inbox, number, meta, body, tip)
            row = meta.get("row", {})
            changed = meta["type"] != "delivery_changed"
            self.stamps[number] = Stamp(prev, row.get("last_ms", 0) if changed else 0)
            if meta["type"] in SYSTEM_LINES:
                assert body["to"] == row["assignee"]
            self.replayed.apply(event)
            events.append(event)
        assert self.replayed.wrong == []
        return events

    # The whole state

    async def compare(self) -> None:
        """Every row, index, mark and badge of the engine equals what the model says."""
        rows = list(self.model.rows.values())
        indexes = self._indexes(rows)
        waiting = {conv: numbers for conv, numbers in self.queued.items() if numbers}
        found, *mine = await asyncio.gather(
            self._found(
                *(("HGETALL", name) for name in ("cx", "why", *(f"c:{row.id}" for row in rows))),
                *(("LLEN", f"m:{row.id}") for row in rows),
                *(("ZRANGE", name, "0", "-1", "WITHSCORES") for name in (*indexes, "gone", "out")),
                *(("LRANGE", f"out:{conv}", "0", "-1") for conv in waiting),
                ("SMEMBERS", "unm"),
            ),
            *(self.scripts.me(self.prefix, user=user) for user in USERS),
        )
        assert {conv.decode() for conv in _hash(found["cx"]).values()} == {row.id for row in rows}
        for row in rows:
            assert self.replayed.rows[row.id] == row
            self._compare_row(row, found[f"c:{row.id}"], found[f"m:{row.id}"])
        for index, want in (indexes | {"gone": self.model.gone_since()}).items():
            assert dict(_scores(found[index])) == want, index
        assert {key.decode() for key in found["unm"]} == self.model.board()
        self._compare_outbox(found, waiting)
        for user, reply in zip(USERS, mine, strict=True):
            order = [row.id for row in reversed(ordered("mine", rows, user))]
            assert [conv for conv, _ in _scores(found[f"as:{user}"])] == order
            self._compare_user(user, reply)

    async def _found(self, *reads: tuple[str, ...]) -> dict[str, Any]:
        """What these commands, each with the name of one of this inbox's keys, read at once."""
        raw = await self.client.execute("EVAL", READS, 1, self.prefix, pack_for_lua(reads))
        return {read[1]: got for read, got in zip(reads, raw, strict=True)}

    def _compare_row(self, row: Row, flat: list[bytes], lines: int) -> None:
        stored = {k: v.decode(errors="replace") for k, v in _hash(flat).items()}
        prev, trimmed = stored.pop("prev"), self.model.trimmed.get(row.id, 0)
        assert stored.pop("trimmed") == str(trimmed)
        assert stored.pop("purged", "0") == str(self.purged.get(row.id, 0))
        assert stored.pop("acted_ms") == str(self.model.acted.get(row.id, 0))
        assert stored == {f: str(getattr(row, f)) for f in Row.__dataclass_fields__}
        assert bool(prev) == (row.id in self.model.prev)
        assert lines == row.n - trimmed

    def _indexes(self, rows: list[Row]) -> dict[str, dict[str, int]]:
        here = [row for row in rows if row.id not in self.away]
        held = {row.id: row.n - self.model.trimmed.get(row.id, 0) for row in here}
        own: dict[str, dict[str, int]] = {f"{k}:{u}": {} for k in ("as", "ow") for u in USERS}
        return own | indexes(here, acted=self.model.acted, held=held)

    def _compare_outbox(self, found: dict[str, Any], waiting: dict[str, list[int]]) -> None:
        assert {conv for conv, _ in _scores(found["out"])} == set(waiting)
        for conv, numbers in waiting.items():
            assert [int(n) for n in found[f"out:{conv}"]] == numbers, conv
        trimmed = self.model.trimmed
        failed = {f"{conv}:{n}" for conv, n in self.model.failed if n > trimmed.get(conv, 0)}
        assert _hash(found["why"]) == dict.fromkeys(failed, b"no")

    async def compare_leases(self) -> None:
        """What is leased is the head of every line, and stopped where the customer opted out."""
        reply = await self.scripts.lease_outbox(self.prefix, lease_ms=0, n=1000)
        got = {(item[0].decode(), item[1]): item[8] for item in reply[1]}
        want = {}
        for conv, numbers in self.queued.items():
            if numbers:
                place = (conv, numbers[0])
                out = blocked_since(self.model, self.model.rows[conv]) > 0
                want[place] = int(out and place not in self.answers)
        assert got == want
        self.counts.update(f"lease:{stopped}" for stopped in want.values())

    def _compare_user(self, user: str, reply: list[Any]) -> None:
        _, _, _, _, standing, which, keys, green, counted = reply
        member = self.model.members.get(user)
        assert standing.decode() == (_standing(member) if member else "")
        told = {key.decode() for key in keys}
        board = self.model.board()
        blue = board - told if which == b"seen" else told
        expected = totals(self.model, user)
        assert len(blue) == counted == expected.blue, (user, blue, counted)
        assert len(green) == expected.green, (user, green)
        assert {g.decode() for g in green} == self.model.green.get(user, set())

    async def compare_pages(self) -> None:
        """Views, page by page, equal the ordered rows."""
        rows = list(self.model.rows.values())
        for user in self.model.members:
            for view in ("unassigned", "mine", "others", "open", "done", "all", "walk"):
                got, after = [], ""
                while True:
                    name = "walk" if view == "walk" else "page"
                    args = {} if view == "walk" else {"view": view}
                    reply = await getattr(self.scripts, name)(
                        self.prefix, actor=user, after_ms=after, n=2, **args
                    )
                    got += [row_of(msgpack.unpackb(row)) for row in reply[4]]
                    after = reply[3].decode()
                    if not after:
                        break
                assert got == ordered(view, rows, user), (view, user)

    def token(self, pick: int, row: Row | None) -> str:
        """Usually the present token, sometimes none, an old one, or nonsense."""
        if row is None or pick % 8 == 7:
            return ""
        if pick % 8 == 1 and self.tokens:
            return self.tokens[pick % len(self.tokens)]
        return row.own_tok if pick % 8 > 1 else "0.ffffffff"


def fresh_world(client: Engine, scripts: Scripts, counts: Counter[str]) -> World:
    """An inbox nobody else uses."""
    return World(client, scripts, f"w{uuid.uuid4().hex[:12]}", counts)


def _keyword(command: Command) -> bytes:
    if not command.word:
        return b""
    return bytes(pack_for_lua((command.word, command.at, BODY)))


def _pairs(flat: list[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _hash(flat: list[bytes]) -> dict[str, bytes]:
    return {name.decode(): value for name, value in _pairs(flat)}


def _scores(flat: list[bytes]) -> list[tuple[str, int]]:
    return [(name.decode(), int(score)) for name, score in _pairs(flat)]


def _standing(member: Member) -> str:
    return f"{member.role}:{int(member.joined)}:{member.since_seq}"


def _brief(event: Event) -> tuple[Any, ...]:
    meta = event.meta
    row = row_of(meta["row"]) if "row" in meta else None
    before = meta.get("before")
    told = (before["status"], before["assignee"], before["att"]) if before else None
    user = meta.get("user", "")
    unseen = meta.get("unseen", False)
    reason = meta.get("reason", "") if meta["type"] != "delivery_changed" else ""
    return event.seq, meta["type"], meta["actor"], told, row, unseen, user, reason


def _fact(fact: Fact) -> tuple[Any, ...]:
    before = fact.before
    told = (str(before.status), before.assignee, before.att) if before else None
    happened = (fact.seq, str(fact.kind), fact.actor, told, fact.row, fact.unseen, fact.user)
    return (*happened, fact.reason)

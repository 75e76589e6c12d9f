"""A world whose older things are in a real archive: nobody can tell by what they read."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Delivery, Event, Row, Status
from batonbox_server.domain.replay import row_of
from batonbox_server.domain.transitions import Command
from batonbox_server.domain.views import ordered
from batonbox_server.errors import Refused
from batonbox_server.store.archive_port import Archive, ArchivedRow
from batonbox_server.store.archiving_port import LinesOut
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.redis import RedisStore
from batonbox_server.store.scripts import Scripts
from tests.model.world import World

__all__ = ["ArchivedWorld", "archived_world"]

TALK = frozenset({"received", "replied", "composed", "answered"})


@dataclass
class ArchivedWorld(World):
    """See World. `lines` are all messages as a plain list has them; `held` what is held.

    `outs` and `rows_out` were read and archived, and wait to be let go of: by then the inbox may
    be another.
    """

    store: RedisStore = field(kw_only=True)
    archive: Archive = field(kw_only=True)
    lines: dict[str, list[list[Any]]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    outs: list[tuple[str, LinesOut]] = field(default_factory=list)
    rows_out: list[tuple[ArchivedRow, int]] = field(default_factory=list)

    async def _on_engine(self, command: Command) -> str:
        if command.verb == "seen" and command.conv in self.away:
            return await _word(
                self.store.seen(conv=command.conv, actor=command.actor, att=command.seen)
            )
        told = await super()._on_engine(command)
        conv = command.conv
        if command.verb in ("receive", "compose"):
            conv = self.model.pairs.get((command.our, command.customer), "")
            assert (told == "archived") <= (conv in self.away), command
        if told in ("archived", "not_found") and conv in self.away:
            assert await self.store.bring_back(conv=conv)
            self.away.discard(conv)
            self.counts["brought back"] += 1
            told = await super()._on_engine(command)
        return told

    async def _take_events(self, seq: int) -> list[Event]:
        events = await super()._take_events(seq)
        for event in events:
            meta = event.meta
            if meta["type"] == "delivery_changed":
                line = self.lines[meta["conv"]][meta["n"] - 1]
                line[6:] = [meta["state"], line[7]]
                if meta["state"] == "failed":
                    line.append(meta["reason"])
            elif "row" in meta and meta["type"] != "purged":
                row = meta["row"]
                head = [meta["n"], event.seq, row["last_ms"], meta["type"], meta["actor"]]
                line = [*head, meta["cid"], meta.get("state") or "", event.body]
                self.lines.setdefault(row["id"], []).append(line)
        return events

    # Moves

    async def reads_lines(self, row: Row, pick: int) -> None:
        """The worker reads, and the archive has it."""
        if row.id in self.away:
            return
        out = await self.store.lines_out(conv=row.id, keep=pick % 3, n=1 + pick // 3 % 6)
        trimmed = self.model.trimmed.get(row.id, 0)
        mine = self.lines[row.id][trimmed : trimmed + len(out.lines)]
        assert [msgpack.unpackb(line.packed) for line in out.lines] == mine
        assert [(x.n, x.seq, x.at_ms) for x in out.lines] == [tuple(x[:3]) for x in mine]
        assert not any(line[6] == "queued" for line in mine)
        assert trimmed + len(out.lines) <= max(trimmed, row.n - pick % 3)
        await self.archive.put_lines(conv=row.id, lines=out.lines)
        if out.lines:
            self.outs.append((row.id, out))

    async def lets_go(self, _: Row, pick: int) -> None:
        """Of lines that were read now or earlier, which are what they were or not."""
        if not self.outs:
            return
        conv, out = self.outs.pop(pick % len(self.outs) if pick % 3 else -1)
        told = await self.store.trim(conv=conv, out=out)
        now, upto = self.model.rows.get(conv), out.lines[-1].n
        trimmed = self.model.trimmed.get(conv, 0)
        same = [msgpack.unpackb(x.packed) for x in out.lines] == self.lines[conv][trimmed:upto]
        want = now is not None and conv not in self.away and (upto <= trimmed or same)
        assert told == (max(0, upto - trimmed) if want else None), (conv, trimmed, upto)
        if told:
            self.model.trimmed[conv] = max(trimmed, upto)
        self.counts[f"trim:{told is not None}"] += 1

    async def reads_row(self, row: Row, pick: int) -> None:
        """All its lines, and the row; not before them."""
        if row.id in self.away:
            return
        if pick % 4 == 1 and not self._may_leave(row):
            assert await self.store.row_out(conv=row.id) is None
        while (out := await self.store.lines_out(conv=row.id, keep=0)).lines:
            await self.archive.put_lines(conv=row.id, lines=out.lines)
            assert await self.store.trim(conv=row.id, out=out) == len(out.lines)
            self.model.trimmed[row.id] = out.lines[-1].n
        told = await self.store.row_out(conv=row.id)
        assert (told is not None) == self._may_leave(row), row
        if told is not None:
            assert row_of(told.row) == row
            await self.archive.put_row(told)
            self.rows_out.append((told, self.purged.get(row.id, 0)))

    async def evicts(self, _: Row, pick: int) -> None:
        """A row that was read now or earlier."""
        if not self.rows_out:
            return
        found, purged = self.rows_out.pop(pick % len(self.rows_out) if pick % 3 else -1)
        now = self.model.rows.get(found.conv)
        same = now is not None and row_of(found.row) == now and self.purged.get(now.id, 0) == purged
        want = same and now is not None and now.id not in self.away and self._may_leave(now)
        assert await self.store.evict(row=found) == want, found.conv
        if want:
            self.away.add(found.conv)
        self.counts[f"evict:{want}"] += 1

    async def comes_back(self, _: Row, pick: int) -> None:
        """Somebody wants a row that is away, or thinks so."""
        convs = sorted(self.lines)
        found = await self.archive.row(conv=convs[pick % len(convs)])
        if found is not None:
            want = found.conv in self.model.rows
            assert await self.store.thaw(row=found) == want
            self.away.discard(found.conv)
            self.counts[f"thaw:{want}"] += 1

    async def holds(self, row: Row, _: int) -> None:
        """An admin holds it, or no longer."""
        on = row.id not in self.held
        await self.store.hold(conv=row.id, actor="adm", cid="c", on=on, reason="why")
        self.away.discard(row.id)
        self.held ^= {row.id}

    async def erases(self, row: Row, pick: int) -> None:
        """The retention rule."""
        upto, before = 1 + pick % row.n, self.purged.get(row.id, 0)
        till = min(upto, self.model.trimmed.get(row.id, 0))
        whole = till == row.n and self._may_leave(row)
        told = await self.store.purge(conv=row.id, upto=upto)
        self.away.discard(row.id)
        moves = row.id not in self.held and (till > before or whole)
        assert (told.held, told.whole) == (row.id in self.held, whole)
        assert told.n == (till if moves else before)
        if moves:
            await self._erased(row, till, whole=whole)
        if pick % 3:  # else the worker dies here
            await self.archive.purge(conv=row.id, upto=told.n, whole=told.whole)
        self.counts[f"purge:{'whole' if whole else 'held' if told.held else moves}"] += 1

    async def hears_late(self, row: Row, _: int) -> None:
        """A carrier says that a message of the archive has arrived after all."""
        left = self.model.trimmed.get(row.id, 0)
        late = sorted(n for conv, n in self.model.failed if conv == row.id and n <= left)
        if late and late[0] > self.purged.get(row.id, 0):
            told = await self.store.sent(
                conv=row.id, n=late[0], state=Delivery.DELIVERED, receipt=True
            )
            assert told.seq == 0
            line = self.lines[row.id][late[0] - 1]
            line[6:] = ["delivered", line[7]]
            self.model.failed.discard((row.id, late[0]))
            self.counts["heard late"] += 1

    async def _erased(self, row: Row, till: int, *, whole: bool) -> None:
        (event,) = await self._take_events(self.model.seq)
        self.model.seq += 1
        assert (event.meta["type"], event.meta["conv"], event.meta["n"]) == ("purged", row.id, till)
        green = row.assignee and row.id in self.model.green.get(row.assignee, set())
        assert event.meta["unseen"] == bool(green)
        rest = self.lines[row.id][till:]
        shows = till < self.model.trimmed[row.id] or any(line[3] in TALK for line in rest)
        new = row_of(event.meta["row"])
        assert new.preview == (row.preview if shows else "")
        self.model.rows[row.id] = new
        self.purged[row.id] = till
        if whole:
            del self.model.rows[row.id], self.replayed.rows[row.id]
            self.model.pairs.pop((row.our, row.customer))
            self.model.prev.pop(row.id, None)
            self.model.failed = {place for place in self.model.failed if place[0] != row.id}
            self.outbound = [place for place in self.outbound if place[0] != row.id]

    def _may_leave(self, row: Row) -> bool:
        """As the engine must see it."""
        over = self.model.trimmed.get(row.id, 0) == row.n and not self.queued.get(row.id)
        return row.status is Status.DONE and over and row.id not in self.held

    # Comparing

    async def compare(self) -> None:
        """As always; and what the engine counts of it."""
        await super().compare()
        shot = await self.store.snapshot(inbox=self.name)
        done = [row for row in self.model.rows.values() if row.status is Status.DONE]
        assert shot.counts["done"] == len(done)
        held = {hold.conv for hold in await self.store.holds(log=self.name)}
        assert held == self.held

    def _compare_row(self, row: Row, flat: list[bytes], lines: int) -> None:
        if row.id in self.away:
            assert not flat and not lines
        else:
            super()._compare_row(row, flat, lines)

    async def compare_history(self, row: Row, n: int) -> None:
        """Page by page over the border, the messages are those of the plain list."""
        reader = next(iter(self.model.members))
        got: list[list[Any]] = []
        before = 0
        while True:
            page = await self.store.history(conv=row.id, actor=reader, before=before, n=n)
            assert row_of(page.row) == row
            got = page.messages + got
            before = page.next
            if not before:
                break
        assert got == self.lines[row.id][self.purged.get(row.id, 0) :], row.id

    async def compare_reads(self) -> None:
        """Every conversation and every list, as somebody who knows nothing of the archive."""
        rows = list(self.model.rows.values())
        for row in rows:
            await self.compare_history(row, 3)
        reader = next(iter(self.model.members))
        for view in ("open", "done", "all", "walk"):
            for n in (1, 3):
                assert await self._paged(reader, view, n) == ordered(view, rows, reader), view
        gone = set(self.lines) - set(self.model.rows)
        for conv in gone:
            told = await _word(self.store.history(conv=conv, actor=reader, n=1))
            assert told == "not_found", conv

    async def _paged(self, reader: str, view: str, n: int) -> list[Row]:
        got: list[Row] = []
        after = ""
        while True:
            page = await self.store.page(inbox=self.name, actor=reader, view=view, after=after, n=n)
            got += map(row_of, page.rows)
            if not (after := page.next):
                return got


def archived_world(
    client: Engine, scripts: Scripts, counts: Counter[str], archive: Archive
) -> ArchivedWorld:
    """An inbox nobody else uses; its store calls these scripts."""
    store = RedisStore(client, keys=Keys("m"))
    store._scripts = scripts
    store.read_through(archive)
    name = f"w{uuid.uuid4().hex[:12]}"
    return ArchivedWorld(client, scripts, name, counts, store=store, archive=archive)


async def _word(call: Awaitable[Any]) -> str:
    try:
        await call
    except Refused as refusal:
        return refusal.slug
    return "ok"

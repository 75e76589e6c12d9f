"""The search index in the engine, where it has FT.SEARCH: one for all nodes, in its memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import astuple
from typing import Any, Final

import msgspec

from batonbox_server.errors import Refused
from batonbox_server.service.search_port import (
    Card,
    Change,
    Gone,
    Hit,
    Message,
    Move,
    Place,
    Purged,
    Talk,
)

from .excerpt import excerpt, matches, shown
from .ft_query import CARD, CARDS, MESSAGE, SCHEMA, TALK, ft_query, hashed, tag
from .query import Clause, parse

__all__ = ["FtIndex"]

Ask = Callable[..., Awaitable[Any]]
_AT_ONCE: Final = 1000
_CARDS: Final = 200
_NOTHING: Final = b""
# Every node feeds the index: only who knows where it stood may move it on.
_APPLY: Final = """
local places, log, was, now = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if (redis.call("HGET", places, log) or "") ~= was then return 0 end
for _, op in ipairs(cmsgpack.unpack(ARGV[4])) do
  local key, how, fields = op[1], op[2], op[3]
  local there = redis.call("EXISTS", key) == 1
  if how == "drop" then
    redis.call("DEL", key)
  elseif not (how == "old" and there) then
    local at = there and how ~= "new" and redis.call("HGET", key, "at")
    redis.call("HSET", key, unpack(fields))
    if at and (how == "edit" or tonumber(at) > tonumber(redis.call("HGET", key, "at"))) then
      redis.call("HSET", key, "at", at)
    end
  end
end
redis.call("HSET", places, log, now)
return 1
"""
_Op = tuple[str, str, list[str | int]]


class FtIndex:
    """Implements `service.search_port.SearchIndex`; `ask(*command)` runs one in the engine.

    It finds at most 200 continuations of a prefix, unless the engine is told otherwise
    (MAXPREFIXEXPANSIONS).
    """

    shared = True

    def __init__(self, ask: Ask, *, space: str) -> None:
        self._ask = ask
        self._index = f"{space}ft1"
        self._keys = f"{space}{{ft}}:"
        self._places = f"{space}{{ft}}"
        self._known: dict[str, bytes] = {}

    async def open(self) -> bool:
        """Make the index; False: this engine has none, or none of texts."""
        try:
            found = await self._ask("COMMAND", "INFO", "FT.SEARCH")
            if not found or found[0] is None:
                return False
            options = ("ON", "HASH", "PREFIX", 1, self._keys, "STOPWORDS", 0, "NOHL", "NOFREQS")
            await self._ask("FT.CREATE", self._index, *options, "SCHEMA", *SCHEMA)
        except Refused:
            raise
        except Exception as error:
            return "exist" in str(error).lower()
        return True

    async def aclose(self) -> None:
        """Nothing is held here."""

    def matches(self, q: str, texts: Sequence[str]) -> list[tuple[tuple[int, int], ...] | None]:
        """See the port."""
        clauses = parse(q)
        return [matches(text, clauses) for text in texts]

    def shown(self, q: str, text: str) -> tuple[str, tuple[tuple[int, int], ...]] | None:
        """See the port."""
        return shown(text, parse(q))

    async def find(
        self, q: str, *, logs: Sequence[str], kinds: frozenset[str], after: str, n: int
    ) -> tuple[list[Hit], str]:
        """See the port."""
        clauses, places = parse(q), [tag(log) for log in logs]
        if after and len(kinds) != 1:
            raise Refused("bad_request", "after: it takes one kind.")
        found: list[Hit] = []
        cursor = ""
        for kind in ("conversation", "contact", "message"):
            if kind in kinds:
                hits, cursor = await self._find(kind, clauses, places, after, n)
                found += hits
        return found, cursor if len(kinds) == 1 else ""

    async def places(self) -> Mapping[str, Place]:
        """See the port."""
        flat = await self._ask("HGETALL", self._places)
        self._known = {flat[at].decode(): flat[at + 1] for at in range(0, len(flat), 2)}
        return {log: _place(packed) for log, packed in self._known.items()}

    async def apply(self, log: str, changes: Sequence[Change], *, place: Place) -> None:
        """See the port; what takes looking up first is a step of its own at the old place."""
        was = self._known.get(log, _NOTHING)
        if not was:
            raise Refused("unavailable", "The search index is being made anew; retry.")
        ops: list[_Op] = []
        for change in changes:
            if isinstance(change, Purged | Gone):
                await self._write(log, ops, _place(was))
                await self._write(log, await self._drops(change), _place(was))
                ops = []
            else:
                ops += self._ops(change, tag(log))
        await self._write(log, ops, place)

    async def apply_all(self, moves: Sequence[Move]) -> None:
        """See the port: one by one, and who was overtaken in one is told after the last."""
        overtaken: Refused | None = None
        for move in moves:
            try:
                await self.apply(move.log, move.changes, place=move.place)
            except Refused as refused:
                overtaken = refused
        if overtaken is not None:
            raise overtaken

    async def restart(self, log: str, *, place: Place) -> None:
        """See the port."""
        await self._write(log, [], Place("", 0, "", step="rows"))
        query = f"@place:{{{CARDS if log.startswith('@') else tag(log)}}}"
        while ops := await self._found(query):
            await self._write(log, ops, Place("", 0, "", step="rows"))
        await self._write(log, [], place)

    async def drop(self, log: str) -> None:
        """See the port."""
        await self.restart(log, place=Place("", 0, "", step="rows"))
        await self._ask("HDEL", self._places, log)
        self._known.pop(log, None)

    async def clear(self) -> None:
        """See the port."""
        for log in await self.places():
            await self.drop(log)

    def _ops(self, change: Message | Talk | Card, place: str) -> list[_Op]:
        name, fields = hashed(change, place=place)
        key = self._keys + name
        flat = [part for pair in fields.items() for part in pair]
        match change:
            case Message(text=""):
                return [(key, "drop", [])]
            case Message(old=True):
                return [(key, "old", flat)]
            case Message(edit=True):
                return [(key, "edit", flat)]
            case Talk():
                return [(key, "last", flat)]  # of two times the later one
        return [(key, "new", flat)]

    async def _drops(self, change: Purged | Gone) -> list[_Op]:
        if isinstance(change, Gone):
            name, upto = change.id, ""
        else:
            name, upto = change.conv, f" @kind:{{{MESSAGE}}} @n:[-inf {change.upto}]"
        ops: list[_Op] = []
        while found := await self._found(f"@conv:{{{tag(name)}}}{upto}", first=len(ops)):
            ops += found
        return ops

    async def _found(self, query: str, *, first: int = 0) -> list[_Op]:
        options = ("NOCONTENT", "LIMIT", first, _AT_ONCE, "DIALECT", 2)
        reply = await self._ask("FT.SEARCH", self._index, query, *options)
        return [(key.decode(), "drop", []) for key in reply[1:]]

    async def _write(self, log: str, ops: Sequence[_Op], place: Place) -> None:
        was, now = self._known.get(log, _NOTHING), msgspec.msgpack.encode(astuple(place))
        packed = msgspec.msgpack.encode(ops)
        if not await self._ask("EVAL", _APPLY, 1, self._places, log, was, now, packed):
            self._known.pop(log, None)
            raise Refused("unavailable", "Another node moved the search index on.")
        self._known[log] = now

    async def _find(
        self, kind: str, clauses: Sequence[Clause], places: Sequence[str], after: str, n: int
    ) -> tuple[list[Hit], str]:
        if kind == "contact":
            rows, cursor = await self._page(ft_query(clauses, kind=CARD, places=[CARDS]), after, n)
        elif not places:
            return [], ""
        elif kind == "message":
            query = ft_query(clauses, kind=MESSAGE, places=places)
            rows, cursor = await self._page(query, after, n)
        else:
            rows, cursor = await self._page(await self._talks(clauses, places), after, n)
        return [_hit(kind, row, clauses) for row in rows], cursor

    async def _talks(self, clauses: Sequence[Clause], places: Sequence[str]) -> str:
        """Conversations by their customer's number, or by the numbers of contacts so named."""
        cards, _ = await self._page(ft_query(clauses, kind=CARD, places=[CARDS]), "", _CARDS)
        numbers = {n.lstrip("+") for card in cards for n in card["numbers"].split()}
        ways = [f"@customer:{{{'|'.join(sorted(numbers))}}}"] if numbers else []
        if all(clause.digits for clause in clauses):
            ways.append(f"({' '.join(_phones(clause) for clause in clauses)})")
        one = f"({' | '.join(ways)})" if ways else "@customer:{none}"
        return f"{ft_query([], kind=TALK, places=places)} {one}"

    async def _page(self, query: str, after: str, n: int) -> tuple[list[dict[str, str]], str]:
        """The newest first; the cursor is a time and how many of that time came already."""
        at, _, skip = after.partition(".")
        if after and not (at.isdecimal() and skip.isdecimal()):
            raise Refused("bad_request", "after: not a cursor of this search; leave it out.")
        below = f" @at:[-inf {at}]" if after else ""
        options = ("VERBATIM", "SORTBY", "at", "DESC", "LIMIT", int(skip or 0), n + 1, "DIALECT", 2)
        reply = await self._ask("FT.SEARCH", self._index, query + below, *options)
        rows = [_row(flat) for flat in reply[2::2]]
        if len(rows) <= n:
            return rows, ""
        last = rows[n - 1]["at"]
        same = sum(row["at"] == last for row in rows[:n])
        return rows[:n], f"{last}.{same + (int(skip) if last == at else 0)}"


def _phones(clause: Clause) -> str:
    ways = [f"{digits}*" for digits in clause.digits] + [f"e{tail}" for tail in clause.tails]
    return f"@phones:({' | '.join(ways)})"


def _hit(kind: str, row: dict[str, str], clauses: Sequence[Clause]) -> Hit:
    shown, marks = excerpt(row.get("text", ""), clauses)
    if kind == "contact":
        return Hit(kind, id=row["in"], excerpt=shown, marks=marks)
    n = int(row["n"]) if kind == "message" else 0
    return Hit(kind, row["in"], n, int(row["at"]), excerpt=shown, marks=marks)


def _row(flat: Sequence[bytes]) -> dict[str, str]:
    return {flat[at].decode(): flat[at + 1].decode() for at in range(0, len(flat), 2)}


def _place(packed: bytes) -> Place:
    return Place(*msgspec.msgpack.decode(packed))

"""Reads for `batonbox-server verify`: everything as it is kept, page by page, nothing decided."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from redis.exceptions import NoPermissionError

from batonbox_server.errors import Refused
from batonbox_server.store.by import pack_for_lua
from batonbox_server.store.cluster import ClusterClient
from batonbox_server.store.engine import Engine
from batonbox_server.store.inbox_calls import entry_of, words
from batonbox_server.store.keys import Keys
from batonbox_server.store.port import Head, LogEntry
from batonbox_server.store.scripts import Scripts

__all__ = ["LINES", "VerifyingReads"]

# Lines of a thread that come with its row; and entries, members and keys of one step.
LINES: Final = 64
_PAGE: Final = 200
_MORE: Final = 500
_NO_SCAN: Final = (
    "keys that nobody names: the engine's user may not SCAN; grant +scan +pttl and verify again"
)
_REST_S: Final = 0.5  # between two steps, at most


class VerifyingReads:
    """`prefix` is that of a log's keys (`Keys`); names of keys are what follows it, e.g. `as:ann`.

    Rests after each step for as long as it took, unless it is in a `hurry` because nobody is served
    meanwhile. `settle_s`: in which a change reaches everything it concerns. Raises
    Refused("unavailable").
    """

    def __init__(self, client: Engine, *, keys: Keys, hurry: bool = False) -> None:
        self.keys = keys
        self._client = client
        self._scripts = Scripts(client)
        self._hurry = hurry
        self.settle_s = 0.0 if hurry else 1.0

    async def head(self, prefix: str) -> Head | None:
        """None: there is no such log."""
        reply = await self._paced(self._scripts.head(prefix, at=0))
        if reply[0] != b"ok":
            return None
        _, epoch, seq, tip, tip_at, oldest = reply
        return Head(epoch.decode(), seq, tip.decode(), tip_at.decode(), oldest)

    async def at(self, prefix: str, seq: int) -> tuple[str, int, str] | None:
        """The log's epoch and end, and its tip at `seq`, "" where it no longer tells."""
        reply = await self._paced(self._scripts.head(prefix, at=seq))
        if reply[0] != b"ok":
            return None
        _, epoch, end, tip, tip_at, _ = reply
        return epoch.decode(), end, (tip if seq == end else tip_at).decode()

    async def entries(self, prefix: str, *, first: int, last: int) -> list[LogEntry]:
        """Some of the log, ascending; none at the end."""
        args = ("XRANGE", f"{prefix}:log", f"{first}-0", f"{last}-0", "COUNT", _PAGE)
        return [entry_of(entry) for entry in await self.ask(*args)]

    async def rows(
        self, prefix: str, convs: Sequence[str], *, also: str = "", members: Sequence[str] = ()
    ) -> tuple[int, list[list[Any]]]:
        """See verify_rows.lua; the end of the log, -1 where there is no such log (any more)."""
        reply = await self._paced(
            self._scripts.verify_rows(
                prefix,
                convs=pack_for_lua(list(convs)),
                also=also,
                members=pack_for_lua(list(members)),
                n=LINES,
            )
        )
        return (reply[1], reply[2]) if reply[0] == b"ok" else (-1, [])

    async def lines(self, prefix: str, conv: str, *, first: int) -> list[Any] | None:
        """[seq, last, trimmed, lines, out] of verify_lines.lua; None: it is not here any more."""
        reply = await self._paced(
            self._scripts.verify_lines(prefix, conv=conv, first=first, n=_MORE)
        )
        return reply[1:] if reply[0] == b"ok" else None

    async def scanned(self, name: str, command: str) -> AsyncIterator[list[str]]:
        """All of a set, hash or sorted set, by SSCAN, HSCAN or ZSCAN: what is there throughout
        comes at least once; of the latter two names and values in turn."""
        cursor = b"0"
        while True:
            cursor, found = await self.ask(command, name, cursor, "COUNT", _PAGE)
            if found:
                yield [value.decode(errors="replace") for value in found]
            if cursor == b"0":
                return

    async def packed(self, name: str) -> AsyncIterator[list[tuple[str, bytes]]]:
        """All of a hash, values as they are."""
        cursor = b"0"
        while True:
            cursor, found = await self.ask("HSCAN", name, cursor, "COUNT", _PAGE)
            if found:
                pairs = zip(found[::2], found[1::2], strict=True)
                yield [(field.decode(errors="replace"), value) for field, value in pairs]
            if cursor == b"0":
                return

    async def every_key(self) -> AsyncIterator[list[str]]:
        """Every key of this organisation, at least once.

        Raises Refused("forbidden") where the engine's user may not SCAN.
        """
        client = self._client
        space = "".join(f"\\{sign}" if sign in "*?[]\\" else sign for sign in self.keys.space)
        for server in client.servers() if isinstance(client, ClusterClient) else [client]:
            cursor = b"0"
            while True:
                asked = ("SCAN", cursor, "MATCH", f"{space}{{*", "COUNT", 5 * _PAGE)
                try:
                    cursor, found = await self._paced(server.ask(*asked))
                except NoPermissionError as error:
                    raise Refused("forbidden", _NO_SCAN) from error
                if found:
                    yield words(found)
                if cursor == b"0":
                    break

    async def each(self, *commands: tuple[str | bytes | int, ...]) -> list[Any]:
        """Several replies, of commands that are sent together."""
        asked = (self._client.ask(*command) for command in commands)
        return list(await self._paced(asyncio.gather(*asked)))

    async def ask(self, *args: str | bytes | int) -> Any:
        """One reply."""
        return await self._paced(self._client.ask(*args))

    async def _paced(self, work: Any) -> Any:
        now_s = asyncio.get_running_loop().time
        began_s = now_s()
        done = await work
        if not self._hurry:
            await asyncio.sleep(min(now_s() - began_s, _REST_S))
        return done

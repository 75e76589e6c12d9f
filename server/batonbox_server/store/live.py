"""Reports of nodes, who is connected, and overviews of inboxes, over an engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.live_port import Beat, Mark, NodeReport, Overview, People
from batonbox_server.store.scripts import Scripts

__all__ = ["RedisLive", "marks_of"]

_LEASE_MS: Final = 6_000
_GRACE_MS: Final = 20_000
_NOBODY: Final = People()


class RedisLive:
    """Implements `store.live_port.LiveStore`; `job_lease_s` as in the directory."""

    def __init__(self, client: Engine, *, keys: Keys, job_lease_s: float = 30.0) -> None:
        self._client = client
        self._keys = keys
        self._job_lease_ms = round(1000 * job_lease_s)
        self._scripts = Scripts(client)

    async def report(self, report: NodeReport, people: People) -> Beat:
        """See the port."""
        reply = await self._beat(report.id, msgpack.packb(asdict(report)), people)
        _, records, was, version, mine, moved, more = reply
        nodes = [NodeReport(**msgpack.unpackb(raw)) for raw in records]
        nodes.sort(key=lambda one: one.id)
        return Beat(nodes, int(was), int(version), int(mine), marks_of(moved), bool(more))

    async def leave(self, node: str) -> None:
        """See the port."""
        await self._beat(node, b"", _NOBODY)

    async def members(self, node: str) -> frozenset[str]:
        """See the port."""
        found = await self._execute("SMEMBERS", f"{self._keys.org}:pn:{node}")
        return frozenset(raw.decode() for raw in found)

    async def presence(self) -> tuple[int, dict[str, Mark]]:
        """See the port."""
        _, version, flat = await self._scripts.org_presence(self._keys.org)
        pairs = zip(flat[::2], flat[1::2], strict=True)
        return int(version), {user.decode(): _mark(raw) for user, raw in pairs}

    async def marks(self, users: list[str]) -> Mapping[str, Mark]:
        """See the port."""
        if not users:
            return {}
        found = await self._execute("HMGET", f"{self._keys.org}:pu", *users)
        return {u: _mark(raw) for u, raw in zip(users, found, strict=True) if raw is not None}

    async def overview(self, *, inbox: str) -> Overview | None:
        """See the port."""
        reply = await self._scripts.overview(self._keys.inbox(inbox))
        if reply[0] != b"ok":
            return None
        _, unassigned, oldest_ms, flat = reply
        held = {flat[i].decode(): int(flat[i + 1]) for i in range(0, len(flat), 2)}
        return Overview(int(unassigned), int(oldest_ms), held)

    async def _beat(self, node: str, record: bytes, people: People) -> list[Any]:
        return await self._scripts.org_beat(
            self._keys.org,
            node=node,
            record=record,
            lease_ms=_LEASE_MS,
            grace_ms=_GRACE_MS,
            came=_names(people.came),
            went=_names(people.went),
            met=_names(people.met),
            job_lease_ms=self._job_lease_ms,
        )

    async def _execute(self, *args: str) -> Any:
        try:
            return await self._client.execute(*args)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error


def marks_of(flat: Sequence[Any]) -> dict[str, Mark]:
    """Marks as lua/lib/presence.lua lists them: user, version, since_ms, and so on."""
    return {
        user.decode() if isinstance(user, bytes) else user: Mark(int(version), int(since_ms))
        for user, version, since_ms in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    }


def _names(users: Iterable[str]) -> bytes:
    return bytes(msgpack.packb(list(users)))


def _mark(raw: bytes) -> Mark:
    _, version, since_ms = raw.split(b":")
    return Mark(int(version), int(since_ms))

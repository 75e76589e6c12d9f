"""Reports of nodes and overviews of inboxes, over an engine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.store.live_port import NodeReport, Overview
from batonbox_server.store.scripts import Scripts

__all__ = ["RedisLive"]


class RedisLive:
    """Implements `store.live_port.LiveStore`."""

    def __init__(self, client: EngineClient, *, keys: Keys) -> None:
        self._keys = keys
        self._scripts = Scripts(client)

    async def report(self, report: NodeReport, *, lease_ms: int) -> list[NodeReport]:
        """See the port."""
        reply = await self._beat(report.id, msgpack.packb(asdict(report)), lease_ms)
        found = [NodeReport(**msgpack.unpackb(raw)) for raw in reply[1]]
        return sorted(found, key=lambda one: one.id)

    async def leave(self, node: str) -> None:
        """See the port."""
        await self._beat(node, b"", 0)

    async def overview(self, *, inbox: str) -> Overview | None:
        """See the port."""
        reply = await self._scripts.overview(self._keys.inbox(inbox))
        if reply[0] != b"ok":
            return None
        _, unassigned, oldest_ms, flat = reply
        held = {flat[i].decode(): int(flat[i + 1]) for i in range(0, len(flat), 2)}
        return Overview(int(unassigned), int(oldest_ms), held)

    async def _beat(self, node: str, record: bytes, lease_ms: int) -> list[Any]:
        return await self._scripts.org_beat(
            self._keys.org, node=node, record=record, lease_ms=lease_ms
        )

"""Bot groups over an engine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.errors import Refused
from batonbox_server.store.by import pack_for_lua
from batonbox_server.store.engine import Engine
from batonbox_server.store.group_port import Said, Share
from batonbox_server.store.inbox_calls import ok
from batonbox_server.store.keys import Keys
from batonbox_server.store.scripts import Scripts

__all__ = ["RedisGroups"]

_TOO_MANY: Final = {
    b"too_many_copies": "copy: this group has 64 copies already; stop one, or wait for its lease.",
    b"too_many_groups": "name: you have 16 groups in this inbox; one unused for 12 hours ends.",
}


class RedisGroups:
    """Implements `store.group_port.GroupStore`."""

    def __init__(self, client: Engine, *, keys: Keys) -> None:
        self._keys = keys
        self._scripts = Scripts(client)

    async def share(
        self,
        *,
        inbox: str,
        user: str,
        name: str,
        copy: str,
        lease_ms: int,
        leaving: bool,
        said: Said,
    ) -> Share:
        """See the port."""
        reply = await self._scripts.share(
            self._keys.inbox(inbox),
            user=user,
            name=name,
            copy=copy,
            lease_ms=lease_ms,
            leaving=int(leaving),
            said=pack_for_lua(asdict(said)),
        )
        if (why := _TOO_MANY.get(reply[0])) is not None:
            raise Refused("conflict", why)
        gen, epoch, seq, tip, past, mine, asked, lost, copies, over = ok(reply)
        return Share(
            gen,
            epoch.decode(),
            seq,
            tip.decode(),
            msgpack.unpackb(past),
            list(zip(mine[::2], mine[1::2], strict=True)),
            asked,
            lost.decode(),
            copies,
            list(zip(over[::2], over[1::2], strict=True)),
        )

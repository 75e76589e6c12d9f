"""Faults that only a cluster knows: slots on the move."""

from __future__ import annotations

import asyncio
import random
from typing import Any, ClassVar, Final

from redis.crc import key_slot
from redis.exceptions import RedisError

from batonbox_server.errors import BatonboxError
from batonbox_server.tasks import spawn
from batonbox_server.torture.sites.cluster import ClusterSite
from batonbox_server.torture.stage import Stage

from .base import Nemesis

__all__ = ["SlotMigration"]

_PAUSE_S: Final = 0.3
_ATOMIC: Final = 0.5
_LAST_S: Final = 30.0


class SlotMigration(Nemesis):
    """The slots of the round's inboxes move to other primaries, key by key or at once, again and
    again; none is left half-way.
    """

    name: ClassVar[str] = "slot-migration"
    topologies: ClassVar[frozenset[str]] = frozenset({"cluster"})
    over = False

    @classmethod
    def impossible(cls, stage: Stage) -> str:
        """See Nemesis."""
        return super().impossible(stage) or ("" if stage.own else "the engines are not ours")

    def __init__(self, stage: Stage, rng: random.Random) -> None:
        super().__init__(stage, rng)
        self._moving: set[asyncio.Task[Any]] = set()

    async def begin(self) -> str:
        """See Nemesis."""
        target = self.take(["slots"])
        if target:
            spawn(self._moving, self._move(), name="torture-slots")
        return target

    async def end(self) -> None:
        """See Nemesis."""
        self.over = True
        if self._moving:
            await asyncio.wait(self._moving, timeout=_LAST_S)
            site = self.stage.site
            assert isinstance(site, ClusterSite)
            await site.finish_moves()  # which another fault has interrupted

    async def _move(self) -> None:
        site = self.stage.site
        assert isinstance(site, ClusterSite)
        moved = failed = 0
        while not self.over:
            inbox = self.rng.choice(self.stage.inboxes)
            slot = key_slot(f"ib:{inbox}".encode())
            try:
                here = await site.owner(slot)
                others = [engine for engine in await site.primaries() if engine is not here]
                # A move key by key that breaks off leaves half of a log here, and half there.
                atomic = site.atomic and (not self.stage.alone or self.rng.random() < _ATOMIC)
                if not atomic and not self.stage.alone:
                    return
                await site.migrate(slot, self.rng.choice(others), atomic=atomic)
                moved += 1
            except (RedisError, OSError, BatonboxError, IndexError):
                failed += 1  # a second fault has one of the two; the next turn mends the slot
            self.detail = {"moved": moved, "failed": failed, "atomic": site.atomic}
            await asyncio.sleep(_PAUSE_S)

"""Slots of a cluster that move from one primary to another, whatever interrupts it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.exceptions import RedisError

from batonbox_server.errors import BatonboxError, EngineUnsuitable
from batonbox_server.store.resp import Argument

from .base import EngineProc

__all__ = ["SlotMoves", "until"]

_HOST: Final = "127.0.0.1"
_POLL_S: Final = 0.02
_TIMEOUT_S: Final = 30.0
_KEYS_AT_ONCE: Final = 100


class SlotMoves(ABC):
    """A cluster whose slots can be moved; all engines have one `password`."""

    def __init__(self, password: str) -> None:
        self.password = password
        self._moves: dict[int, EngineProc] = {}  # begun and not ended: the slot, and where to

    @abstractmethod
    async def owner(self, slot: int) -> EngineProc:
        """The primary that serves a slot. Raises EngineUnsuitable: nobody."""

    @abstractmethod
    async def primaries(self) -> list[EngineProc]:
        """Those that run and are no replicas."""

    @abstractmethod
    async def ask(self, engine: EngineProc, *args: Argument) -> Any:
        """One command to one engine, over a connection of its own."""

    @abstractmethod
    def id_of(self, engine: EngineProc) -> str:
        """What the cluster calls it."""

    @abstractmethod
    def mate(self, engine: EngineProc) -> EngineProc:
        """The other engine of a primary and its replica, whichever is which now."""

    async def migrate(self, slot: int, to: EngineProc, *, atomic: bool = False) -> None:
        """Move a slot to another primary, key by key, or all at once where the engine can."""
        if slot in self._moves:
            await self.finish_moves()
        if await self.owner(slot) is to:
            return
        if not atomic:
            async with self.moving(slot, to) as move_keys:
                await move_keys()
            return
        here = await self.owner(slot)
        await self.ask(
            here, "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", self.id_of(to)
        )

        async def moved() -> bool:
            said = await asyncio.gather(*(self.ask(e, "CLUSTER", "SLOTS") for e in (here, to)))
            theirs = self.id_of(to).encode()
            return all(
                primary[2] == theirs
                for ranges in said
                for first, last, primary, *_ in ranges
                if first <= slot <= last
            )

        await until(moved, what=f"slot {slot} at {to.name}")

    @asynccontextmanager
    async def moving(
        self, slot: int, to: EngineProc
    ) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """A slot on its way, key by key: it belongs to `to` in the end. Yields what moves the keys
        that are left."""
        self._moves[slot] = to
        here = await self.owner(slot)
        await self.ask(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", self.id_of(here))
        await self.ask(here, "CLUSTER", "SETSLOT", slot, "MIGRATING", self.id_of(to))

        async def move_keys() -> None:
            while keys := await self.ask(here, "CLUSTER", "GETKEYSINSLOT", slot, _KEYS_AT_ONCE):
                await self.ask(
                    here, "MIGRATE", _HOST, to.port, "", 0, 5000, "REPLACE", "AUTH", self.password,
                    "KEYS", *keys,
                )  # fmt: skip

        yield move_keys
        await move_keys()
        await self._give(slot, to, here)

    async def finish_moves(self) -> None:
        """Carry on where a move was interrupted, to whoever took over from where it went.

        Until then some keys are here and some there, and the slot serves no functions.
        """

        async def finished() -> bool:
            for slot, to in list(self._moves.items()):
                try:
                    primaries = await self.primaries()
                    now = to if to in primaries else self.mate(to)
                    if await self.owner(slot) is now:
                        await self._give(slot, now)
                        continue
                    async with self.moving(slot, now) as move_keys:
                        await move_keys()
                except (RedisError, OSError, BatonboxError):
                    return False
            return True

        await until(finished, what="interrupted moves of slots")

    async def _give(self, slot: int, to: EngineProc, *first: EngineProc) -> None:
        """Whoever gets it is told first, and who gave it next: it is never nobody's."""
        others = [engine for engine in await self.primaries() if engine not in (to, *first)]
        for engine in (to, *first, *others):
            await self.ask(engine, "CLUSTER", "SETSLOT", slot, "NODE", self.id_of(to))
        del self._moves[slot]


async def until(holds: Callable[[], Awaitable[bool]], *, what: str) -> None:
    """Return once it holds. Raises EngineUnsuitable after 30 s: `what` did not come about."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            while not await holds():  # noqa: ASYNC110
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise EngineUnsuitable(f"Waited {_TIMEOUT_S} s in vain for {what}.") from None

"""What a nemesis is."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final

from batonbox_server.tasks import cancel_all, spawn
from batonbox_server.torture.stage import Stage

__all__ = ["ANYWHERE", "Nemesis"]

ANYWHERE: Final = frozenset({"standalone", "sentinel", "cluster"})


class Nemesis(ABC):
    """One kind of fault, struck once: `begin`, then `end`, which leaves everything whole.

    `own_engine`: it needs an engine of the run's own, or the user's word. `may_lose`: it may take
    back what was acknowledged with `dur` memory.  `begin` gives the target, "" when there was
    nothing to strike; `detail` is what else the record tells.
    """

    name: ClassVar[str]
    topologies: ClassVar[frozenset[str]] = ANYWHERE
    own_engine: ClassVar[bool] = True

    def __init__(self, stage: Stage, rng: random.Random) -> None:
        self.stage = stage
        self.rng = rng
        self.detail: dict[str, Any] = {}
        self._target = ""
        self._held: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    @classmethod
    def impossible(cls, stage: Stage) -> str:
        """Why it cannot strike on this stage at all; "" when it can."""
        if stage.site.topology not in cls.topologies:
            return f"needs {' or '.join(sorted(cls.topologies))}"
        return ""

    @abstractmethod
    async def begin(self) -> str:
        """Strike; the target."""

    @abstractmethod
    async def end(self) -> None:
        """Make it whole again; raises Unready or EngineUnsuitable where that fails."""

    async def finish(self) -> None:
        """`end`, and let go of the target."""
        await cancel_all(self._tasks)
        try:
            await self.end()
        finally:
            self.stage.taken -= self._held

    def take(self, names: list[str]) -> str:
        """One of the targets that no other nemesis has; "" for none."""
        free = [name for name in names if name not in self.stage.taken]
        if free:
            self._target = self.rng.choice(free)
            self._hold([self._target])
        return self._target

    def take_all(self, names: list[str]) -> bool:
        """All of the targets, unless another nemesis has one of them."""
        free = bool(names) and self.stage.taken.isdisjoint(names)
        if free:
            self._hold(names)
        return free

    def _hold(self, names: list[str]) -> None:
        self._held.update(names)
        self.stage.taken.update(names)

    def keep_doing(self, work: Any, *, every_s: float) -> None:
        """Do it again and again, until the end."""

        async def again() -> None:
            while True:
                await work()
                await asyncio.sleep(every_s)

        spawn(self._tasks, again(), name=f"torture-{self.name}")

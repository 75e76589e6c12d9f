"""Faults of the network, on the hop between clients and nodes or nodes and the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, Literal

from batonbox_server.torture.faults import MODES, FaultProxy, Mode, Way
from batonbox_server.torture.stage import Stage

from .base import Nemesis

__all__ = ["NETWORK"]

Hop = Literal["client", "engine"]
_WAYS: Final[tuple[Way, ...]] = ("up", "down")
_NO_RELAY: Final = "nodes reach this engine without a relay of ours (Sentinel, Cluster, TLS)"


class _Network(Nemesis):
    """One hop of one node in one mode."""

    own_engine: ClassVar[bool] = False
    hop: ClassVar[Hop]
    mode: ClassVar[Mode]
    proxy: FaultProxy | None = None

    @classmethod
    def impossible(cls, stage: Stage) -> str:
        """See Nemesis."""
        if cls.hop == "engine" and not stage.back:
            return _NO_RELAY
        return super().impossible(stage)

    def _proxies(self) -> Sequence[FaultProxy]:
        return self.stage.front if self.hop == "client" else self.stage.back

    async def begin(self) -> str:
        """See Nemesis."""
        names = [f"{self.hop}-{node.name}" for node in self.stage.nodes]
        target = self.take(names)
        if target:
            self.proxy = self._proxies()[names.index(target)]
            way = self.rng.choice(_WAYS)
            if self.mode == "one_way":
                self.detail = {"lost": way}
            await self.proxy.begin(self.mode, way=way)
        return target

    async def end(self) -> None:
        """See Nemesis."""
        if self.proxy is not None:
            await self.proxy.heal()


def _network(hop: Hop, mode: Mode) -> type[_Network]:
    name = f"{hop}-{mode.replace('_', '-')}"
    return type(f"Network_{hop}_{mode}", (_Network,), {"name": name, "hop": hop, "mode": mode})


NETWORK: Final = tuple(_network(hop, mode) for hop in ("client", "engine") for mode in MODES)

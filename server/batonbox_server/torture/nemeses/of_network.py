"""Faults of the network, on the hop between clients and nodes or nodes and engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final, Literal

from batonbox_server.torture.faults import MODES, FaultProxy, Mode, Way
from batonbox_server.torture.stage import Stage

from .base import Nemesis

__all__ = ["NETWORK"]

Hop = Literal["client", "engine"]
_WAYS: Final[tuple[Way, ...]] = ("up", "down")
_NO_RELAY: Final = "nodes reach these engines without a relay of ours (TLS, or your own cluster)"


class _Network(Nemesis):
    """One hop in one mode: of a node or of a primary, or `everywhere` at once."""

    own_engine: ClassVar[bool] = False
    hop: ClassVar[Hop]
    mode: ClassVar[Mode]
    everywhere: ClassVar[bool]
    struck: tuple[FaultProxy, ...] = ()

    @classmethod
    def impossible(cls, stage: Stage) -> str:
        """See Nemesis."""
        if cls.hop == "engine" and not stage.back:
            return _NO_RELAY
        return super().impossible(stage)

    async def begin(self) -> str:
        """See Nemesis."""
        relays = await self._relays()
        if self.everywhere:
            target = f"{self.hop}-all" if self.take_all(list(relays)) else ""
            self.struck = tuple(relays.values()) if target else ()
        else:
            target = self.take(list(relays))
            self.struck = (relays[target],) if target else ()
        way = self.rng.choice(_WAYS)
        if self.mode == "one_way":
            self.detail["lost"] = way
        for relay in self.struck:
            await relay.begin(self.mode, way=way)
        return target

    async def end(self) -> None:
        """See Nemesis."""
        for relay in self.struck:
            await relay.heal()

    async def _relays(self) -> Mapping[str, FaultProxy]:
        """Those that may be struck, by the name of the target."""
        stage = self.stage
        if self.hop == "client":
            return {
                f"client-{node.name}": relay
                for node, relay in zip(stage.nodes, stage.front, strict=True)
            }
        if stage.site.topology == "sentinel":  # which choose another primary then
            self.detail["may_lose"] = True
        back = stage.back
        if len(stage.site.engines) > 1 and not self.everywhere:
            back = {one.name: back[one.name] for one in await stage.primaries()}
        return {f"link-{name}": relay for name, relay in back.items()}


def _network(hop: Hop, mode: Mode, *, everywhere: bool = False) -> type[_Network]:
    name = f"{hop}-{mode.replace('_', '-')}{'-all' if everywhere else ''}"
    given = {"name": name, "hop": hop, "mode": mode, "everywhere": everywhere}
    return type(f"Network_{hop}_{mode}", (_Network,), given)


NETWORK: Final = (
    *(_network("client", mode) for mode in MODES),
    *(_network("engine", mode) for mode in MODES),
    *(_network("engine", mode, everywhere=True) for mode in MODES),
)

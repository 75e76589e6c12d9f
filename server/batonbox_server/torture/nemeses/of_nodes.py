"""Faults of nodes: they die, or stand still."""

from __future__ import annotations

from typing import ClassVar

from batonbox_server.torture.nodes import NodeProcess

from .base import Nemesis

__all__ = ["NodeFreeze", "NodeKill"]


class _OfNode(Nemesis):
    own_engine: ClassVar[bool] = False

    def _node(self) -> NodeProcess | None:
        # One node always stays: clients have somewhere to go.
        busy = [node.name for node in self.stage.nodes if node.name in self.stage.taken]
        if len(self.stage.nodes) > 1 and len(busy) >= len(self.stage.nodes) - 1:
            return None
        name = self.take([node.name for node in self.stage.nodes])
        return next((node for node in self.stage.nodes if node.name == name), None)


class NodeKill(_OfNode):
    """kill -9 of a node; it is started again at the end."""

    name: ClassVar[str] = "node-kill"
    node: NodeProcess | None = None

    async def begin(self) -> str:
        """See Nemesis."""
        self.node = self._node()
        if self.node is not None:
            await self.node.kill()
        return self._target

    async def end(self) -> None:
        """See Nemesis."""
        if self.node is not None:
            await self.node.restart()


class NodeFreeze(_OfNode):
    """A node is stopped (SIGSTOP) and goes on at the end, as if nothing had been."""

    name: ClassVar[str] = "node-freeze"
    node: NodeProcess | None = None

    async def begin(self) -> str:
        """See Nemesis."""
        self.node = self._node()
        if self.node is not None:
            self.node.freeze()
        return self._target

    async def end(self) -> None:
        """See Nemesis."""
        if self.node is not None:
            self.node.thaw()
            await self.node.ready()

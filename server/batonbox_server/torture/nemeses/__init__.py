"""The faults that a run may strike, by name."""

from __future__ import annotations

from typing import Final

from .base import Nemesis
from .of_cluster import SlotMigration
from .of_engines import EngineFreeze, EngineKill, Failover, FunctionFlush, SubscriptionKill
from .of_network import NETWORK
from .of_nodes import NodeFreeze, NodeKill
from .of_storage import DiskFull, MemoryFull, OldFile

__all__ = ["NEMESES", "Nemesis", "OldFile"]

_ALL: Final[tuple[type[Nemesis], ...]] = (
    NodeKill,
    NodeFreeze,
    EngineKill,
    EngineFreeze,
    Failover,
    SlotMigration,
    *NETWORK,
    SubscriptionKill,
    FunctionFlush,
    MemoryFull,
    DiskFull,
    OldFile,
)
NEMESES: Final = {nemesis.name: nemesis for nemesis in _ALL}

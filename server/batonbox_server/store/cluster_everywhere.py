"""Commands without a key: those that any primary may answer, and those that are for all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from .connect import EngineClient
from .resp import Argument

__all__ = ["ANYWHERE", "EVERYWHERE", "ask_all"]

ANYWHERE: Final = frozenset({"COMMAND", "ECHO", "PING", "TIME"})
EVERYWHERE: Final = frozenset({"CLIENT", "CONFIG", "FUNCTION", "INFO", "KEYS", "SCRIPT"})


async def ask_all(clients: Sequence[EngineClient], args: tuple[Argument, ...]) -> Any:
    """The replies of all as one: lists joined, numbers added, of INFO the one with least memory
    left; else the first.  Raises what the first raised that did not answer.
    """
    replies = await asyncio.gather(*(_sent(client, args) for client in clients))
    if str(args[0]).upper() == "INFO":
        return max(replies, key=_fullness)
    first = replies[0]
    if isinstance(first, list):
        return [part for reply in replies for part in reply]
    return sum(replies) if isinstance(first, int) else first


async def _sent(client: EngineClient, args: tuple[Argument, ...]) -> Any:
    return await client.execute(*args)


def _fullness(info: bytes) -> tuple[float, int]:
    told = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    used, bound = int(told.get("used_memory", 0)), int(told.get("maxmemory", 0))
    return (used / bound if bound else 0.0), used

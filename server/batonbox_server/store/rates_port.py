"""What a rate that all nodes share needs from the store."""

from __future__ import annotations

from typing import Protocol

__all__ = ["RateStore"]


class RateStore(Protocol):
    """Raises Refused("unavailable") when the engine is down."""

    async def take(self, name: str, *, every_ms: float, burst: int, n: int) -> tuple[int, int]:
        """Up to `n` of a rate: `burst` at once, then one every `every_ms`, over all nodes.

        Returns how many may pass, and with 0 how many ms to wait for the next one.
        """

"""Work that can wait a moment: a few pieces of it in each turn of the loop, whoever it is for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

__all__ = ["Paced"]


class Paced:
    """Pieces in the order in which they came, at most `per_turn` of them in a turn.

    A thousand handshakes, or all that a thousand connections sent at once, would otherwise be one
    long turn, for whose end everybody waits.
    """

    def __init__(self, per_turn: int) -> None:
        self._per_turn = per_turn
        self._waiting: deque[Callable[[], None]] = deque()

    def add(self, piece: Callable[[], None]) -> None:
        """To be called once it is its turn, never from here; it should not raise."""
        self._waiting.append(piece)
        if len(self._waiting) == 1:
            self._soon()

    def _turn(self) -> None:
        waiting = self._waiting
        try:
            for _ in range(min(self._per_turn, len(waiting))):
                # It stands in the line until it has ended: what it adds waits for the next turn.
                waiting[0]()
                waiting.popleft()
        except BaseException:
            waiting.popleft()
            raise
        finally:
            if waiting:
                self._soon()

    def _soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._turn)

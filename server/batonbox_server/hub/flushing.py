"""One turn of the loop: what came until then is written together, by one callback for all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .delivery import Delivery
    from .viewer import Viewer

__all__ = ["Flush"]

# Then the loop reads what has come meanwhile. It writes for real only once the callback has ended,
# at some 3 us each, so time on a clock would not tell.
_WRITES: Final = 1024


class Flush:
    """Everybody on this node with something to be written, each once.

    Logs with new events first: most of their listeners have nothing else to get, and take the same
    bytes.  A big room's turn is cut, so that it does not hold up the others'.

    `batch_bytes` bound one message.
    """

    def __init__(self, batch_bytes: int = 65536) -> None:
        self.batch_bytes = batch_bytes
        self._deliveries: dict[Delivery, None] = {}
        self._viewers: deque[Viewer] = deque()
        self._scheduled = self._patient = False

    def delivery(self, delivery: Delivery) -> None:
        """The log may have something new for its listeners."""
        self._deliveries[delivery] = None
        self.soon()

    def viewer(self, viewer: Viewer) -> None:
        """The connection may have something to be written; it counts once."""
        self._viewers.append(viewer)
        self.soon()

    def patiently(self) -> None:
        """The next turn comes one later: what is begun now is answered in the same write."""
        self._patient = True

    def soon(self) -> None:
        """Write at the end of this turn of the loop.

        Called before what is to be written: those woken meanwhile run first, and are written, too.
        """
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        if self._patient:  # asked for here, so that it holds for a turn that was due already, too
            self._patient = False
            asyncio.get_running_loop().call_soon(self._turn)
            return
        self._scheduled = False
        left = _WRITES
        viewers = self._viewers
        try:
            for delivery in self._taken():
                left = delivery.turn(left)
                if left <= 0:
                    self._deliveries[delivery] = None  # behind the others
                    break
            for _ in range(min(len(viewers), max(left, _WRITES // 2))):
                viewer = viewers.popleft()
                try:
                    viewer.flush()
                except Exception:  # this connection's end, and nobody else's
                    viewer.sink.failed()
        finally:  # whatever happened: the others wait for no event to come
            if self._deliveries or viewers:
                self.soon()

    def _taken(self) -> Iterator[Delivery]:
        deliveries = self._deliveries
        while deliveries:
            delivery = next(iter(deliveries))
            del deliveries[delivery]
            yield delivery

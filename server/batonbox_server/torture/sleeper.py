"""A client that follows everything and reads nothing: to a node it may cost but a constant."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from batonbox_server import wire
from batonbox_server.wire import Op

from .line import Door

__all__ = ["Sleeper"]

_OPEN_S: Final = 4.0
_ASLEEP_S: Final = 15.0  # longer than a node waits for an answer to its PING
_PAUSE_S: Final = 0.5


class Sleeper:
    """Connects, subscribes, and sleeps until it is thrown out; then again."""

    def __init__(
        self, token: str, inboxes: Sequence[str], doors: Sequence[Door], rng: random.Random
    ) -> None:
        self._token = token
        self._inboxes = inboxes
        self._doors = doors
        self._rng = rng
        self.asleep_at = ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            door = self._rng.choice(list(self._doors))
            with contextlib.suppress(OSError, TimeoutError, EOFError, WebSocketException):
                ws = await connect(
                    f"ws://127.0.0.1:{door.port}/v1/ws",
                    subprotocols=[Subprotocol(wire.MSGPACK_SUBPROTOCOL)],
                    compression=None,
                    max_queue=1,
                    ping_interval=None,
                    open_timeout=_OPEN_S,
                    proxy=None,
                )
                await self._sleep(ws, door)
            await asyncio.sleep(self._rng.uniform(0.0, 2 * _PAUSE_S))

    async def _sleep(self, ws: ClientConnection, door: Door) -> None:
        try:
            subs = [[inbox, "list"] for inbox in self._inboxes]
            frames = ([Op.HELLO, self._token, "torture/1"], [Op.SUB, 1, subs])
            encoded = [wire.encode(frame, wire.MSGPACK_SUBPROTOCOL) for frame in frames]
            await ws.send(wire.join(encoded, wire.MSGPACK_SUBPROTOCOL))
            ws.transport.pause_reading()
            self.asleep_at = door.node
            await asyncio.sleep(_ASLEEP_S)
        finally:
            self.asleep_at = ""
            ws.transport.abort()

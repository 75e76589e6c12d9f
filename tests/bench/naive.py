"""What one would write by hand: Starlette, an `await` per send, an `await evalsha` per command.

`python -m tests.bench.naive ENGINE_URL CHANNEL PREFIX`; no authentication, no log, no resuming.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgpack  # type: ignore[import-untyped]
import redis.asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from batonbox_server.store.by import by_command
from batonbox_server.store.scripts import load_folder
from batonbox_server.wire import Op


class Naive:
    """Subscribers of one channel in a set, and commands straight to the scripts."""

    def __init__(self, url: str, channel: str, prefix: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(url, max_connections=10_000)
        self._channel, self._prefix = channel, prefix
        self._subscribers: set[WebSocket] = set()
        self._scripts = load_folder()

    async def fan(self, ws: WebSocket) -> None:
        """A subscriber."""
        await ws.accept(subprotocol="batonbox.v1.msgpack")
        self._subscribers.add(ws)
        await ws.send_bytes(b"ready")
        try:
            while True:
                await ws.receive_bytes()
        except WebSocketDisconnect:
            self._subscribers.discard(ws)

    async def command(self, ws: WebSocket) -> None:
        """Commands, one after the other."""
        await ws.accept(subprotocol="batonbox.v1.msgpack")
        await ws.receive_bytes()
        await ws.send_bytes(msgpack.packb([Op.WELCOME]))
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                _, number, name, args = msgpack.unpackb(await ws.receive_bytes())
                await ws.send_bytes(msgpack.packb([Op.OK, number, await self._run(name, args)]))

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        """Listen to the channel while serving."""
        for script in self._scripts.values():
            await self._redis.script_load(script.source)
        async with self._redis.pubsub() as heard, asyncio.TaskGroup() as group:
            await heard.subscribe(self._channel)
            listening = group.create_task(self._listen(heard))
            yield
            listening.cancel()

    async def _listen(self, heard: Any) -> None:
        async for message in heard.listen():
            if message["type"] == "message":
                for ws in list(self._subscribers):
                    await ws.send_bytes(message["data"])

    async def _run(self, name: str, args: dict[str, Any]) -> dict[str, str]:
        script = self._scripts["release" if name == "return" else name]
        last = args["own_tok"] if name == "return" else ""
        digest = f"{args['cid']:0<40}"[:40]
        by = by_command(actor="admin", cid=args["cid"], digest=digest, keep=10_000)
        reply = await self._redis.evalsha(script.sha, 1, self._prefix, args["conv"], by, last)
        assert reply[0] == b"ok", reply
        return {"own_tok": reply[4].decode()}


def main() -> None:
    """Serve on a free port and print it."""
    naive = Naive(*sys.argv[1:4])
    routes = [WebSocketRoute("/fan", naive.fan), WebSocketRoute("/cmd", naive.command)]
    config = uvicorn.Config(
        Starlette(routes=routes, lifespan=naive.lifespan),
        log_level="error",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        backlog=4096,
    )
    import socket

    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()

"""What one would write by hand: Starlette, an `await` per send, an `await fcall` per command.

`python -m tests.bench.naive ENGINE_URL`. It signs people in, validates commands and asks the table
of permissions as the server does, and runs the same scripts; it keeps no feed, resumes nothing and
has no badges. Events of `/fan` go through a channel of the engine and are in no log.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
import msgspec
import redis.asyncio
import uvicorn
from redis.exceptions import ResponseError
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from batonbox_server.domain.model import Role, inbox_of
from batonbox_server.domain.policy import ALL_SCOPES, COMMANDS, may_ever, missing_scope
from batonbox_server.service.identity import sha256_of
from batonbox_server.store.by import by_command
from batonbox_server.store.keys import Keys
from batonbox_server.store.library import load_folder
from batonbox_server.wire import COMMANDS as ARGUMENTS
from batonbox_server.wire import MSGPACK_SUBPROTOCOL, Cmd, Hello, Op, Sub

from .frames import event, greeting

__all__ = ["TOKENS"]

TOKENS: Final = "naive:tokens"  # a hash: SHA-256 of the secret -> user
_CHANNEL: Final = "naive:fan"


class Naive:
    """Subscribers of each inbox in a set, and commands straight to the scripts."""

    def __init__(self, url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(url, max_connections=10_000)
        self._subscribers: defaultdict[str, set[WebSocket]] = defaultdict(set)
        self._scripts = load_folder()
        self._seq: defaultdict[str, int] = defaultdict(int)

    async def fan(self, ws: WebSocket) -> None:
        """A subscriber, or whoever writes."""
        user, more = await self._entered(ws)
        for frame in more:
            sub = msgspec.convert(frame[1:], Sub)
            self._subscribers[sub.subs[0].inbox].add(ws)
            await ws.send_bytes(greeting(sub.subs[0].inbox))
        if not more:
            await ws.send_bytes(msgpack.packb([Op.WELCOME, "", user]))
        try:
            while True:
                frame = msgpack.unpackb(await ws.receive_bytes())
                await ws.send_bytes(await self._note(frame))
        except WebSocketDisconnect:
            for members in self._subscribers.values():
                members.discard(ws)

    async def command(self, ws: WebSocket) -> None:
        """Commands, one after the other."""
        user, _ = await self._entered(ws)
        await ws.send_bytes(msgpack.packb([Op.WELCOME, "", user]))
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                frame = msgpack.unpackb(await ws.receive_bytes())
                asked = msgspec.convert(frame[1:], Cmd)
                told = await self._run(user, asked)
                await ws.send_bytes(msgpack.packb([Op.OK, asked.id, told]))

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Any) -> AsyncIterator[None]:
        """Listen to the channel while serving."""
        with contextlib.suppress(ResponseError):  # it is there
            await self._redis.function_load(self._scripts["note"].library.source.decode())
        async with self._redis.pubsub() as heard, asyncio.TaskGroup() as group:
            await heard.subscribe(_CHANNEL)
            listening = group.create_task(self._listen(heard))
            yield
            listening.cancel()

    async def _entered(self, ws: WebSocket) -> tuple[str, list[Any]]:
        """Who it is, and the frames that came with the token."""
        await ws.accept(subprotocol=MSGPACK_SUBPROTOCOL)
        unpacker = msgpack.Unpacker()
        unpacker.feed(await ws.receive_bytes())
        first, *more = unpacker
        hello = msgspec.convert(first[1:], Hello)
        user: Any = await self._redis.hget(TOKENS, sha256_of(hello.tok))
        assert user is not None, "no such token"
        return str(user.decode()), more

    async def _listen(self, heard: Any) -> None:
        async for message in heard.listen():
            if message["type"] == "message":
                inbox, data = msgpack.unpackb(message["data"])
                for ws in list(self._subscribers[inbox]):
                    await ws.send_bytes(data)

    async def _note(self, frame: list[Any]) -> bytes:
        asked = msgspec.convert(frame[1:], Cmd)
        args = msgspec.convert(asked.args, ARGUMENTS[asked.name])
        inbox = inbox_of(args.conv)  # type: ignore[attr-defined]
        self._seq[inbox] += 1
        data = event(inbox, self._seq[inbox], asked.args)
        await self._redis.publish(_CHANNEL, msgpack.packb([inbox, data]))
        packed: bytes = msgpack.packb([Op.OK, asked.id, {"inbox": inbox, "seq": self._seq[inbox]}])
        return packed

    async def _run(self, user: str, asked: Cmd) -> dict[str, Any]:
        args: Any = msgspec.convert(asked.args, ARGUMENTS[asked.name])
        action = COMMANDS[asked.name]
        assert may_ever(action, Role.MEMBER) and missing_scope(action, ALL_SCOPES) is None
        script = self._scripts["release" if asked.name == "return" else asked.name]
        digest = f"{args.cid:0<40}"[:40]
        by = by_command(actor=user, cid=args.cid, digest=digest, keep=10_000)
        prefix = Keys().inbox(inbox_of(args.conv))
        given = {"conv": args.conv, "by": by, "own_tok": getattr(args, "own_tok", ""), "to": ""}
        values = [given[name] for name in script.params]
        reply = await self._redis.fcall(script.function, 1, prefix, *values)
        assert reply[0] == b"ok", reply
        return {"conv": reply[1].decode(), "seq": reply[2], "own_tok": reply[4].decode()}


def main() -> None:
    """Serve on a free port and print it."""
    naive = Naive(sys.argv[1])
    routes = [WebSocketRoute("/fan", naive.fan), WebSocketRoute("/cmd", naive.command)]
    config = uvicorn.Config(
        Starlette(routes=routes, lifespan=naive.lifespan),
        log_level="error",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        backlog=4096,
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()

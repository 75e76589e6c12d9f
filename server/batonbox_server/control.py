"""The control socket: commands of the shell reach the running server, for this user alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from batonbox_server.errors import BatonboxError, Refused

__all__ = ["Answer", "Handler", "ask", "listening", "streaming"]

# One line, or many that the other side reads at its own pace.
Answer = dict[str, Any] | AsyncIterator[bytes]
Handler = Callable[[dict[str, Any]], Awaitable[Answer]]
_NAME: Final = "control.sock"
_TIMEOUT_S: Final = 30.0
_LINE_MAX_BYTES: Final = 65536
_PIECE_BYTES: Final = 1 << 16


async def ask(
    folder: Path, request: dict[str, Any], *, name: str = _NAME, timeout_s: float = _TIMEOUT_S
) -> dict[str, Any] | None:
    """The running server's answer, None when none listens. Raises Refused, TimeoutError.

    `name` is that of the socket's file: a worker has one of its own.
    """
    try:
        with _short(folder, name) as path:
            reader, writer = await asyncio.open_unix_connection(path, limit=_LINE_MAX_BYTES)
    except OSError:
        return None
    try:
        writer.write(msgspec.json.encode(request) + b"\n")
        async with asyncio.timeout(timeout_s):
            line = await reader.readline()
    except ConnectionError:
        return None  # it has ended meanwhile
    finally:
        writer.close()
    if not line.endswith(b"\n"):
        return None  # it ended before it had said all
    answer: dict[str, Any] = msgspec.json.decode(line)
    if "error" in answer:
        raise Refused(answer["error"], answer["message"])
    return answer


@contextlib.asynccontextmanager
async def streaming(
    folder: Path, request: dict[str, Any], *, name: str = _NAME
) -> AsyncIterator[AsyncIterator[bytes] | None]:
    """The running server's answer in pieces, None when none listens. Raises Refused while read."""
    try:
        with _short(folder, name) as path:
            reader, writer = await asyncio.open_unix_connection(path, limit=_LINE_MAX_BYTES)
    except OSError:
        yield None
        return
    try:
        writer.write(msgspec.json.encode(request) + b"\n")
        yield _pieces(reader)
    finally:
        writer.close()


async def _pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    first = True
    while True:
        async with asyncio.timeout(_TIMEOUT_S):
            piece = await reader.read(_PIECE_BYTES)
        if not piece:
            return
        if first and piece.startswith(b'{"error":'):
            answer = msgspec.json.decode(piece)
            raise Refused(answer["error"], answer["message"])
        first = False
        yield piece


@contextlib.asynccontextmanager
async def listening(folder: Path, handler: Handler, *, name: str = _NAME) -> AsyncIterator[bool]:
    """Serve requests while the block runs; False when another server already does, in this folder.

    Two servers of one folder (each with an engine by URL) speak about the same organisation.
    """
    if await ask(folder, {"op": "ping"}, name=name) is not None:
        yield False
        return
    server = await asyncio.start_unix_server(
        lambda reader, writer: _serve(reader, writer, handler),
        sock=_bind(folder, name),
        limit=_LINE_MAX_BYTES,
    )
    try:
        yield True
    finally:
        server.close()
        (folder / name).unlink(missing_ok=True)


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler
) -> None:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            answer = await _answer(await reader.readline(), handler)
        pieces = _one(answer) if isinstance(answer, dict) else answer
        async for piece in pieces:
            writer.write(piece)
            async with asyncio.timeout(_TIMEOUT_S):
                await writer.drain()
    except (OSError, TimeoutError, ValueError):
        pass  # whoever asked has gone or never finished the question
    finally:
        writer.close()


async def _one(answer: dict[str, Any]) -> AsyncIterator[bytes]:
    yield msgspec.json.encode(answer) + b"\n"


async def _answer(line: bytes, handler: Handler) -> Answer:
    try:
        request = msgspec.json.decode(line, type=dict[str, Any])
        return {} if request.get("op") == "ping" else await handler(request)
    except Refused as refused:
        return {"error": refused.slug, "message": refused.message}
    except BatonboxError as error:
        return {"error": "unavailable", "message": str(error)}
    except msgspec.MsgspecError as error:
        return {"error": "bad_request", "message": str(error)}


def _bind(folder: Path, name: str) -> socket.socket:
    folder.mkdir(parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    (folder / name).unlink(missing_ok=True)
    before = os.umask(0o177)  # nobody else may connect, from the first moment on
    try:
        with _short(folder, name) as path:
            listener.bind(path)
    finally:
        os.umask(before)
    return listener


@contextlib.contextmanager
def _short(folder: Path, name: str) -> Iterator[str]:
    """A path to the socket below the kernel's 107 bytes, however deep the folder is."""
    path = folder / name
    if len(os.fsencode(path)) <= 100 or not Path("/proc/self/fd").is_dir():
        yield str(path)
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)

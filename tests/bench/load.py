"""The load process: `python -m tests.bench.load fanout|commands ...`, told what to do by lines."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
import uuid
from functools import partial
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox_server.wire import Op

from .lean import Commander, Counter, masked

_AT_ONCE = 64
_WAIT_S = 60.0


class Worker(Commander):
    """One agent in a closed loop: assign its conversation, return it, and again."""

    def __init__(self, *, path: str, hello: bytes, conv: str) -> None:
        super().__init__(path=path, hello=hello)
        self.conv, self.own_tok = conv, ""
        self.took_s: list[float] = []
        self.errors = 0
        self.until_s = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sent_s = 0.0
        self._run = uuid.uuid4().hex[:8]

    def go(self, until_s: float) -> None:
        """Begin a round that ends at `until_s`."""
        self.until_s, self.took_s = until_s, []
        self.ended = asyncio.get_running_loop().create_future()
        self._next()

    def message(self, payload: bytes) -> None:
        unpacker = msgpack.Unpacker()
        unpacker.feed(payload)
        for frame in unpacker:
            if frame[0] == Op.WELCOME and not self.ready.done():
                self.ready.set_result(None)
            elif frame[0] in {Op.OK, Op.ERR}:
                self._answered(frame)

    def _next(self) -> None:
        name, args = "assign", {"conv": self.conv, "cid": f"{self._run}-{self._sent_s}"}
        if self.own_tok:
            name, args["own_tok"] = "return", self.own_tok
        self._sent_s = time.perf_counter()
        self.transport.write(masked(msgpack.packb([Op.CMD, 1, name, args])))

    def _answered(self, frame: list[Any]) -> None:
        now_s = time.perf_counter()
        self.took_s.append(now_s - self._sent_s)
        self.errors += frame[0] == Op.ERR
        self.own_tok = "" if self.own_tok or frame[0] == Op.ERR else frame[2]["own_tok"]
        if now_s < self.until_s:
            self._next()
        else:
            self.ended.set_result(None)


async def fanout(port: int, path: str, hello: bytes, count: int) -> None:
    """Open `count` subscribers; for each line `events factor` say when all of them came."""
    opening = b"ready" if path == "/fan" else bytes([0x90 + 9, Op.SNAP])
    clients = [Counter(path=path, hello=hello, opening=opening) for _ in range(count)]
    await _open(port, clients)
    while line := await _line():
        expected = int(line)
        wanted = {client: client.count + expected for client in clients}
        print("go", flush=True)
        deadline_s = time.perf_counter() + _WAIT_S
        while any(c.count < n for c, n in wanted.items()) and time.perf_counter() < deadline_s:
            await asyncio.sleep(0.002)
        off = sum(abs(client.count - n) for client, n in wanted.items())
        print(json.dumps({"off": off, "closed": sum(c.lost for c in clients)}), flush=True)


async def commands(port: int, path: str, hello: bytes, convs: list[str]) -> None:
    """One agent per conversation; each line `seconds` is a round."""
    workers = [Worker(path=path, hello=hello, conv=conv) for conv in convs]
    await _open(port, workers)
    while line := await _line():
        began_s = time.perf_counter()
        for worker in workers:
            worker.go(began_s + float(line))
        async with asyncio.timeout(_WAIT_S):
            await asyncio.gather(*(worker.ended for worker in workers))
        seconds = time.perf_counter() - began_s
        took_s = sorted(t for worker in workers for t in worker.took_s)
        result = {
            "count": len(took_s),
            "errors": sum(worker.errors for worker in workers),
            "seconds": seconds,
            "p50_ms": 1000 * took_s[len(took_s) // 2],
            "p99_ms": 1000 * took_s[len(took_s) * 99 // 100],
        }
        print(json.dumps(result), flush=True)


async def _open(port: int, clients: list[Any]) -> None:
    loop = asyncio.get_running_loop()
    for at in range(0, len(clients), _AT_ONCE):
        batch = clients[at : at + _AT_ONCE]
        async with asyncio.timeout(_WAIT_S):
            for client in batch:
                await loop.create_connection(partial(_itself, client), "127.0.0.1", port)
            await asyncio.gather(*(client.ready for client in batch))
    print("ready", flush=True)


def _itself(client: Any) -> Any:
    return client


async def _line() -> str:
    line: str = await asyncio.to_thread(sys.stdin.readline)
    return line.strip()


def main() -> None:
    """Arguments: what, port, path, hello in hex, count or conversations as JSON."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    what, port, path, hello, rest = sys.argv[1:6]
    work = fanout if what == "fanout" else commands
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(int(port), path, bytes.fromhex(hello), json.loads(rest)))


if __name__ == "__main__":
    main()

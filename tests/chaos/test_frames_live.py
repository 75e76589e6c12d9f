"""Messages that are nearly frames, sent to a server: it closes as its session would, and lives."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from batonbox_server import wire
from batonbox_server.session.limits import Gcra, SessionLimits
from batonbox_server.session.ports import Principal
from batonbox_server.session.session import Session
from batonbox_server.session.steps import Answer, Shut
from batonbox_server.wire import Op
from tests.nearly_frames import Nearly

from .processes import serving

SETTINGS: Final[dict[str, Any]] = {
    "commands_per_s": 1_000_000,
    "commands_burst": 1_000_000,
    "handshakes_per_s": 10_000,
    "connections_per_user": 64,
    "log_level": "error",
}
FRAME_MAX_BYTES: Final = 1 << 20  # beyond it nobody but the websocket looks at it
PER_CONNECTION: Final = 60  # fewer refusals than close a connection
AT_ONCE: Final = 4
NORMAL: Final = 400
LONG: Final = 100_000


class Expected:
    """What a connection should be closed with, by a session of our own."""

    def __init__(self, subprotocol: str) -> None:
        limits = SessionLimits(commands_per_s=1e9, commands_burst=10**9)
        self._session = Session(subprotocol=subprotocol, limits=limits, now_ms=0)
        list(self._session.receive(_hello("t", subprotocol), 0))
        rate = Gcra(per_s=1e9, burst=10**9)
        self._session.signed_in(Principal("ann", "member"), limits=limits, rate=rate)
        self._now_ms = 0

    def code(self, message: bytes | str) -> int:
        """0: the connection goes on."""
        self._now_ms += 1000
        if len(message if isinstance(message, bytes) else message.encode()) > FRAME_MAX_BYTES:
            return 1009
        for step in self._session.receive(message, self._now_ms):
            if isinstance(step, Shut):
                return int(step.code)
            if not isinstance(step, Answer | wire.Hello | wire.Unsub | wire.Pong):
                self._session.finished()
        return 0


def _hello(token: str, subprotocol: str) -> Any:
    data = wire.encode([Op.HELLO, token, "fuzz"], subprotocol)
    return data.decode() if subprotocol == wire.JSON_SUBPROTOCOL else data


async def once(port: int, token: str, nearly: Nearly, subprotocol: str, most: int) -> int:
    """One connection: messages up to the one that ends it, and why; how many they were."""
    expected, code, sent = Expected(subprotocol), 0, 0
    told: list[bytes | str] = []
    async with connect(
        f"ws://127.0.0.1:{port}/v1/ws", subprotocols=[Subprotocol(subprotocol)], compression=None,
        max_size=None, max_queue=None, ping_interval=None,
    ) as ws:  # fmt: skip
        await ws.send(_hello(token, subprotocol))
        await ws.recv()
        while sent < most and not code:
            message = nearly.message(subprotocol)
            told.append(message)
            code = expected.code(message)
            sent += 1
            await ws.send(message)
        if code:
            try:
                async with asyncio.timeout(30):
                    while True:
                        await ws.recv()
            except ConnectionClosed:
                pass
        else:
            await ws.close()
    assert ws.close_code == (code or 1000), (ws.close_code, code, told[-1])
    return sent


async def fuzzed(port: int, token: str, *, seed: int, count: int) -> Counter[str]:
    """So many messages, over a few connections at a time."""
    done: Counter[str] = Counter()

    async def some(number: int) -> None:
        nearly = Nearly(seed + number, broken=0.1)
        while (left := count // AT_ONCE - done[str(number)]) > 0:
            subprotocol = wire.SUBPROTOCOLS[done["connections"] % 2]
            most = min(left, PER_CONNECTION)
            done[str(number)] += await once(port, token, nearly, subprotocol, most)
            done["connections"] += 1

    async with asyncio.TaskGroup() as group:
        for number in range(AT_ONCE):
            group.create_task(some(number))
    return done


async def test_a_server_closes_as_its_session_says_and_logs_no_fault(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", **SETTINGS) as server:
        await fuzzed(server.port, await server.token("agent1"), seed=7, count=NORMAL)
        await server.ready()
        assert faults(server.log) == []


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_hundred_thousand_messages_leave_a_server_as_it_was(tmp_path: Path) -> None:
    sizes: list[int] = []
    async with serving(tmp_path / "data", **SETTINGS) as server:
        token = await server.token("agent1")
        for cycle in range(4):  # the first makes rooms and fills caches
            done = await fuzzed(server.port, token, seed=1000 * cycle, count=LONG // 4)
            sizes.append(resident(server.process.pid))
            print(f"{done['connections']} connections, RSS {sizes[-1] >> 20} MB")
        await server.ready()
        assert faults(server.log) == []
    assert sizes[3] <= 1.05 * sizes[1], sizes


def faults(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if "rror" in line or "Trace" in line]


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

"""Commands and fan-out over websockets, ours and the naive server's in the same way."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox_server.store.keys import Keys
from batonbox_server.wire import Op

from .lean import MARKER
from .processes import child, cpu_s
from .stage import INBOX, Stage

__all__ = ["CHANNEL", "Fan", "Round", "Target", "commands", "fan_out", "ours"]

CHANNEL = "bench-fan"


@dataclass(frozen=True, slots=True)
class Target:
    """A server under measurement."""

    name: str
    pid: int
    port: int
    command_path: str
    fan_path: str
    command_hello: bytes
    fan_hello: bytes


@dataclass(frozen=True, slots=True)
class Round:
    """Commands: per second, per second of the server's CPU, and how long they took."""

    per_s: float
    per_core_s: float
    p50_ms: float
    p99_ms: float
    errors: int


@dataclass(frozen=True, slots=True)
class Fan:
    """Deliveries: per second, the server's CPU for one, and how many were lost or doubled."""

    per_s: float
    cpu_us: float
    off: int


def ours(stage: Stage) -> Target:
    """The server of the stage; subscribers take the level `list`."""
    hello = msgpack.packb([Op.HELLO, stage.token, "bench"])
    sub = msgpack.packb([Op.SUB, 1, [[INBOX, "list"]]])
    return Target("batonbox", stage.server.pid, stage.port, "/v1/ws", "/v1/ws", hello, hello + sub)


async def commands(target: Target, convs: list[str], *, rounds: int, seconds: float) -> list[Round]:
    """assign and return, one in flight per client; the first round warms up."""
    arguments = ("commands", str(target.port), target.command_path, target.command_hello.hex())
    results = []
    async with child("tests.bench.load", *arguments, json.dumps(convs)) as load:
        await load.line(timeout_s=60)
        for _ in range(rounds + 1):
            before_s = cpu_s(target.pid)
            load.say(str(seconds))
            answer: dict[str, Any] = json.loads(await load.line(timeout_s=60))
            used_s, count = cpu_s(target.pid) - before_s, answer["count"]
            times = (answer["p50_ms"], answer["p99_ms"], answer["errors"])
            results.append(Round(count / answer["seconds"], count / used_s, *times))
    return results[1:]


async def fan_out(
    stage: Stage, target: Target, *, subscribers: int, events: int, rounds: int
) -> dict[str, list[Fan]]:
    """`burst`: all events at once; `single`: each only when the one before has arrived."""
    arguments = ("fanout", str(target.port), target.fan_path, target.fan_hello.hex())
    results: dict[str, list[Fan]] = {"burst": [], "single": []}
    frame, conv = await _event(stage)
    per_event = frame.count(MARKER)
    async with child("tests.bench.load", *arguments, str(subscribers)) as load:
        await load.line(timeout_s=120)
        for number in range(rounds + 1):
            for shape, burst in (("burst", events), ("single", 1)):
                times = 1 if shape == "burst" else min(10, events)
                began_s, before_s, off = time.perf_counter(), cpu_s(target.pid), 0
                for _ in range(times):
                    load.say(str(burst * per_event))
                    await load.line()
                    await _publish(stage, target, frame=frame, conv=conv, count=burst)
                    off += json.loads(await load.line(timeout_s=90))["off"] // per_event
                seconds, used_s = time.perf_counter() - began_s, cpu_s(target.pid) - before_s
                count = subscribers * burst * times
                if number:
                    results[shape].append(Fan(count / seconds, 1e6 * used_s / count, off))
    return results


async def _event(stage: Stage) -> tuple[bytes, str]:
    conv = await stage.conversation(0)
    made = await _note(stage, conv)
    entries = await stage.store.range(log=Keys().inbox(INBOX), first=made, last=made)
    return entries[0].frame, conv


async def _note(stage: Stage, conv: str) -> int:
    body = msgpack.packb({"text": MARKER.decode() + "x" * 100})
    cid = f"bench-{time.perf_counter_ns()}"
    return (await stage.store.note(conv=conv, actor="admin", cid=cid, body=body)).seq


async def _publish(stage: Stage, target: Target, *, frame: bytes, conv: str, count: int) -> None:
    if target.fan_path == "/fan":
        await asyncio.gather(
            *(stage.client.execute("PUBLISH", CHANNEL, frame) for _ in range(count))
        )
    else:
        await asyncio.gather(*(_note(stage, conv) for _ in range(count)))

"""Handshakes per second: connect, upgrade, sign in; and memory of connections that do nothing."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from pathlib import Path
from typing import Final

from batonbox._errors import ConnectionLost
from batonbox.bench.commander import Commander
from batonbox.bench.ground import Ground
from batonbox.bench.lean import Lean, Refused
from batonbox.bench.meter import Meter, quiet
from batonbox.bench.opening import Turned, open_one
from batonbox.bench.plan import Result, percentiles
from batonbox.bench.remedies import of_ends, of_status
from batonbox.bench.server import cpu_each, usage
from batonbox.bench.subscriber import Audience

__all__ = ["handshakes", "idle"]

_RESET: Final = struct.pack("ii", 1, 0)


async def handshakes(ground: Ground) -> Result:
    """A few dozen in flight all the time, each closed as soon as it is signed in."""
    plan, turned = ground.plan, Turned()
    at_once = plan.count("handshakes")
    plan.progress(f"handshakes: {at_once} at a time")
    took_s: list[float] = []
    before = await usage(ground.http)
    until_s = time.perf_counter() + plan.seconds

    async def worker(number: int) -> None:
        while time.perf_counter() < until_s:
            began_s = time.perf_counter()
            try:
                link = await open_one(lambda: Commander(ground.address, ground.token(number)))
            except Refused as refused:
                turned.add(refused.status)
                await asyncio.sleep(refused.retry_after_s)
                continue
            took_s.append(time.perf_counter() - began_s)
            _reset(link)

    with quiet():
        meter = Meter()
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(at_once):
                    group.create_task(worker(number))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None
        seconds, busy = meter.seconds, meter.busy
    figures = {
        "in_flight": at_once,
        "handshakes_per_s": round(len(took_s) / seconds),
        **cpu_each(before, await usage(ground.http), len(took_s)),
        **percentiles(took_s),
    }
    notes = of_status(turned.away)
    return Result(workload="handshakes", figures=figures, client_busy=busy, notes=notes)


def _reset(link: Lean) -> None:
    """End it so that its port is free at once: thousands a second would use them all up."""
    raw = link.transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    link.cut()


async def idle(ground: Ground) -> Result:
    """Connections that follow one inbox in which nothing happens; memory settles meanwhile."""
    plan, turned, audience = ground.plan, Turned(), Audience()
    count = plan.count("idle")
    plan.progress(f"idle: {count} connections")
    server_before, client_before = await usage(ground.http), _own_bytes()
    meter = Meter()
    members = await ground.subscribers(audience, count, turned=turned)
    seconds, busy = meter.seconds, meter.busy
    try:
        await asyncio.sleep(plan.seconds)
        server, client = await usage(ground.http), _own_bytes()
        account, notes = audience.account({}), of_ends(members)
        if account.closed == count:
            raise ConnectionLost(members[0].ended)
    finally:
        for link in members:
            link.close()
    figures: dict[str, float] = {"connections": count, "opened_per_s": round(count / seconds)}
    if server.resident_bytes:
        grown = server.resident_bytes - server_before.resident_bytes
        figures["server_bytes_each"] = round(grown / count)
    else:
        notes.append("the server's /metrics does not tell its memory: only this side is shown")
    if client and client_before:
        figures["client_bytes_each"] = round((client - client_before) / count)
    return Result(
        workload="idle",
        figures=figures,
        account=account,
        client_busy=busy,
        notes=notes + of_status(turned.away),
    )


def _own_bytes() -> int:
    """This process's resident memory; 0 where the system has no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError):
        return 0
    return pages * 4096

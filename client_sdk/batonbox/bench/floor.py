"""The client's own ceiling: how fast it reads events that cost the sender nothing."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Final

import msgpack  # type: ignore[import-untyped]

from batonbox._wire import Op
from batonbox.bench.address import Address
from batonbox.bench.subscriber import Audience, Subscriber

__all__ = ["floor_per_s"]

PAIRS: Final = 256
ROUNDS: Final = 30
INBOX: Final = "floor"
_ROOM_BYTES: Final = 1 << 18
_PATIENCE_S: Final = 10.0
_MESSAGE_MAX_BYTES, _ENVELOPE_BYTES = 64_000, 200


async def floor_per_s(subscribers: int, *, per_message: int, event_bytes: int) -> float:
    """Deliveries per second of this process's CPU, read from local socket pairs.

    So many events are in a message; `subscribers` beyond a few hundred change nothing more.
    """
    audience = Audience()
    most = _MESSAGE_MAX_BYTES // (event_bytes + _ENVELOPE_BYTES)
    count = max(1, min(per_message, most))
    ours = [await _connected(audience) for _ in range(min(subscribers, PAIRS))]
    audience.members = [subscriber for subscriber, _ in ours]
    reading_s, seq = 0.0, 1
    try:
        for _ in range(ROUNDS):
            message = _message(seq, count, event_bytes)
            for _, theirs in ours:
                theirs.sendall(message)
            seq += count
            read = asyncio.Event()
            audience.reached, audience.threshold = read.set, audience.total + len(ours) * count
            began_s = time.process_time()
            await asyncio.wait_for(read.wait(), _PATIENCE_S)
            reading_s += time.process_time() - began_s
    finally:
        for subscriber, theirs in ours:
            subscriber.cut()
            theirs.close()
    return audience.total / reading_s


async def _connected(audience: Audience) -> tuple[Subscriber, socket.socket]:
    here, there = socket.socketpair()
    for end in (here, there):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM_BYTES)
    here.setblocking(False)
    subscriber = Subscriber(Address("localhost", 80, "/"), "", [INBOX], audience)
    subscriber.tallies[INBOX].start("", 0, "")
    await asyncio.get_running_loop().create_connection(lambda: subscriber, sock=here)
    there.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    return subscriber, there


def _message(first: int, count: int, event_bytes: int) -> bytes:
    row = {"id": "floor.c1", "our": "+12015550100", "customer": "+12015550101", "rev": first}
    meta = {"type": "noted", "conv": "floor.c1", "actor": "bench", "cid": "c", "n": 1, "row": row}
    frames = [
        [int(Op.EV), INBOX, seq, meta, {"text": "x" * event_bytes}, f"{seq:016x}"]
        for seq in range(first, first + count)
    ]
    payload = b"".join(msgpack.packb(frame) for frame in frames)
    size = len(payload)
    if size < 126:
        head = bytes([0x82, size])
    elif size < 1 << 16:
        head = bytes([0x82, 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x82, 127]) + size.to_bytes(8, "big")
    return head + payload

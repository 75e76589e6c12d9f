"""What one thing takes in the engine's memory: the bytes of its keys, before and after."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Final

import msgpack  # type: ignore[import-untyped]

from .stage import INBOX, OUR, Stage

__all__ = ["engine_sizes"]

_EACH: Final = 500
_CUSTOMER: Final = "+19055559999"
_BODY: Final = msgpack.packb({"text": "x" * 120})
# What a life that is over leaves behind: its row, thread, places in indexes.
_CONVERSATION: Final = ("c", "m", "cx", "done", "ar", "op", "un", "unm", "wq")


async def engine_sizes(stage: Stage) -> dict[str, float]:
    """Bytes by the constants of `capacity.Costs`, of an engine whose log is not full yet."""
    store, empty = stage.store, (await stage.store.memory()).used
    conv = await stage.conversation(4_000)
    numbers = iter(range(4_001, 4_001 + _EACH))

    async def note() -> None:
        await store.note(conv=conv, actor="admin", cid=uuid.uuid4().hex, body=_BODY)

    async def receive() -> None:
        await store.receive(
            inbox=INBOX,
            our=OUR,
            customer=_CUSTOMER,
            provider_id=uuid.uuid4().hex,
            body=_BODY,
            preview="hello",
        )

    async def live() -> None:
        # A new conversation, and its end.
        begun = await stage.conversation(next(numbers))
        cid = uuid.uuid4().hex
        await store.done(conv=begun, actor="admin", cid=cid, own_tok="", seen="*")

    noted, received = await _grown(stage, note), await _grown(stage, receive)
    lived = await _grown(stage, live)
    return {
        "event_bytes": noted["log"],
        "message_bytes": noted["m"],
        "reply_bytes": noted["i"],
        "provider_bytes": received["p"],
        "audit_bytes": lived["au"] / 2,  # both are told
        "conversation_bytes": sum(lived[name] for name in _CONVERSATION),
        "engine_bytes": empty,
    }


async def _grown(stage: Stage, act: Callable[[], Awaitable[None]]) -> dict[str, float]:
    """Bytes of each kind of key, per act."""
    before = await _census(stage)
    for _ in range(_EACH):
        await act()
    after = await _census(stage)
    return defaultdict(float, {name: (after[name] - before[name]) / _EACH for name in after})


async def _census(stage: Stage) -> Counter[str]:
    """Bytes of the inbox's keys by what follows the prefix: `c` are all rows, `m` all threads."""
    found, cursor = Counter[str](), b"0"
    while True:
        match = ("MATCH", f"{stage.log}:*", "COUNT", "1000")
        cursor, keys = await stage.client.execute("SCAN", cursor, *match)
        for key in keys:
            name = key.decode().removeprefix(f"{stage.log}:").partition(":")[0]
            found[name] += await stage.client.execute("MEMORY", "USAGE", key, "SAMPLES", "0")
        if cursor == b"0":
            return found

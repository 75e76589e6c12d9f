"""Somebody who writes one note after the other, and knows which were acknowledged."""

from __future__ import annotations

import asyncio
from typing import Final

from batonbox import Client, Conversation, OutcomeUnknown, RequestTimeout, Unavailable
from tests.served import Served

__all__ = ["Noting", "notes", "noting"]

_READ_S: Final = 60.0


class Noting:
    """`run` writes until cancelled; `acknowledged` are the numbers that are also in the keys."""

    def __init__(self, conv: Conversation, *, pause_s: float = 0.0) -> None:
        self.conv = conv
        self.acknowledged: list[int] = []
        self.refused = 0
        self._pause_s = pause_s
        self.longest_s = 0.0

    async def run(self) -> None:
        """Write; what is refused or unknown is counted and not written again."""
        now_s = asyncio.get_running_loop().time
        last_s = now_s()
        for number in range(1_000_000):
            try:
                await self.conv.note(f"{number}", key=self.key(number))
                self.acknowledged.append(number)
                self.longest_s = max(self.longest_s, now_s() - last_s)
                last_s = now_s()
            except (Unavailable, OutcomeUnknown, RequestTimeout):
                self.refused += 1
                await asyncio.sleep(0.02)
            await asyncio.sleep(self._pause_s)

    def key(self, number: int) -> str:
        """The id of the command that writes this note."""
        return f"{self.conv.id}-{number}"


async def noting(
    site: Served, client: Client, *, pause_s: float = 0.0, customer: int = 0
) -> Noting:
    """On the conversation of this customer, which becomes the client's."""
    text = await site.texts("hello", customer=f"+1416555{1000 + customer}")
    conv = await client.conversation(text)
    await conv.claim()
    return Noting(conv, pause_s=pause_s)


async def notes(client: Client, conv: str) -> set[int]:
    """The numbers of all notes that are there, as soon as the engine gives them."""
    found: set[int] = set()
    before = 0
    async with asyncio.timeout(_READ_S):
        while True:
            try:
                conversation = await client.conversation(conv)
                while page := await conversation.history(before=before, n=50):
                    found |= {int(message.text) for message in page if message.kind == "noted"}
                    before = page[0].n
                return found
            except Unavailable:  # such as too few replicas, for a moment
                await asyncio.sleep(0.1)

"""One copy of a bot that answers every message: `python -m tests.chaos.group_bot`, to be killed.

The client's settings come from the environment; so do GROUP, LEASE_S, and NOTES, a file that gets
a line per message when its handler begins.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from pathlib import Path

import batonbox
from batonbox._group import Group
from batonbox.bot._source import Source


class Answering(batonbox.Bot):
    """Whose group has the lease that the test wants."""

    def _source(self, client: batonbox.Client) -> Source:
        return Group(client, os.environ["GROUP"], lease_s=float(os.environ["LEASE_S"]))


bot = Answering(group=os.environ["GROUP"], drain_s=5.0)


def note(line: str) -> None:
    """It is on the disk's way before anything else is done."""
    with Path(os.environ["NOTES"]).open("a") as file:
        file.write(line)


@bot.message()
async def answer(event: batonbox.MessageReceived) -> None:
    """Some take longer, and die or freeze in the middle."""
    note(f"{event.conversation.id} {event.text}\n")
    await event.conversation.claim()
    await asyncio.sleep(random.uniform(0, 0.05))
    await event.conversation.reply(f"re {event.text}")


if __name__ == "__main__":
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.INFO)
    bot.run()

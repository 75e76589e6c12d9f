"""Bots on a real server: what customers get."""

from __future__ import annotations

import uuid

import pytest

from batonbox import Bot, Client, Context, MessageReceived
from tests.sdk.bot.conftest import running
from tests.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


def phone() -> str:
    """A customer nobody else uses."""
    return f"+1416{uuid.uuid4().int % 10**7:07}"


async def test_a_customer_is_answered(site: Served, client: Client) -> None:
    bot, customer = Bot(client), phone()

    @bot.message(r"(?i)^hours (?P<day>\w+)")
    async def hours(event: MessageReceived, ctx: Context) -> None:
        assert ctx.match is not None
        await event.conversation.claim()
        await event.conversation.reply(f"{ctx.match['day']}: nine to five")

    async with running(bot):
        await site.texts("hours monday", customer=customer)
        assert await site.phone_with(1, customer) == ["monday: nine to five"]

"""What somebody's own program looks like to type checkers; `make types` gives it to two of them.

Never run. An ignored error that is none any more fails mypy, too.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import assert_type

import batonbox
from batonbox import Badge, Bot, Context, Conversation, Event, MessageReceived, Row, sync
from batonbox.testing import BotTester, Call, LocalServer, Sent

__all__ = ["asynchronous", "blocking", "tests"]

bot = Bot()


@bot.message(r"hours", inbox="sales")
async def hours(event: MessageReceived, ctx: Context) -> None:
    """Handlers stay what they are."""
    assert_type(await event.conversation.try_claim(), bool)
    assert_type(await event.conversation.reply("9 to 5"), int)
    assert_type(event.row, Row)
    assert_type(ctx.client, batonbox.Client)


@bot.unassigned(older_than_s=300)
async def waits(conversation: Conversation) -> None:
    """One parameter is enough."""
    await conversation.transfer("ana")


async def asynchronous(client: batonbox.Client) -> None:
    """The client as it is awaited."""
    async for conversation in client.conversations(view="mine"):
        assert_type(conversation, Conversation)
    async with client.events(MessageReceived) as events:
        async for event in events:
            assert_type(event, Event)
            if isinstance(event, MessageReceived):
                assert_type(event.conversation, Conversation)
                assert_type(event.text, str)
    async for badge in client.badges():
        assert_type(badge, Badge)
    await client.conversation(1)  # type: ignore[arg-type]


def blocking(client: sync.Client) -> None:
    """The client that blocks: the same, without await."""
    assert_type(client.conversation("sales.1"), sync.Conversation)
    for conversation in client.conversations(view="mine"):
        assert_type(conversation, sync.Conversation)
        assert_type(conversation.now, Row)
    entered = client.events(sync.MessageReceived, sync.Posted)
    assert_type(entered, AbstractContextManager[sync.EventStream])
    with entered as events:
        for event in events:
            assert_type(event, Event)
            if isinstance(event, sync.MessageReceived):
                assert_type(event.conversation, sync.Conversation)
                assert_type(event.text, str)
                assert_type(event.conversation.reply("hello"), int)
            if isinstance(event, sync.Posted):
                assert_type(event.room, sync.Room)
        assert_type(events.next(timeout_s=1.0), Event)
    assert_type(client.badges(), sync.Stream[Badge])
    assert_type(client.badges().next(), Badge)
    with client.conversation("sales.1").viewing() as view:
        assert_type(view, sync.Viewing)
    client.conversation("sales.1").reply(text=1)  # type: ignore[arg-type]


async def tests(batonbox_server: LocalServer) -> None:
    """And its tests."""
    async with BotTester(bot) as t:
        conv = await t.says("+14165550142", "hours?")
        assert_type(conv, str)
        assert_type(t.replies, list[Sent])
        assert_type(t.calls, list[Call])
        assert_type(t.conversation(conv), Row)
    with LocalServer() as server:
        assert_type(server.customer().says("hello"), str)
    async with LocalServer() as server, server.client("agent1") as client:
        assert_type(client, batonbox.Client)
    with batonbox_server.sync_client("agent1") as other:
        assert_type(other, sync.Client)

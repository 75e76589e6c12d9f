"""What type checkers take, and what they refuse: nothing here runs.

An error that is not there any more is an unused `type: ignore`, which fails the check of types.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from batonbox import (
    PASS,
    Assigned,
    Bot,
    CallNext,
    Context,
    Conversation,
    ConversationEvent,
    Done,
    MessageReceived,
    Resync,
)

if TYPE_CHECKING:
    from typing import assert_type

    bot = Bot()

    @bot.message("x")
    async def message(event: MessageReceived, ctx: Context) -> int:
        assert_type(ctx.match, re.Match[str] | None)
        return 1

    assert_type(message, Callable[[MessageReceived, Context], Coroutine[Any, Any, int]])

    @bot.message()
    async def wider(event: ConversationEvent) -> object:
        return PASS

    @bot.updated(Assigned, Done)
    async def either(event: Assigned | Done) -> None: ...

    @bot.unassigned(older_than_s=1)
    async def waiting(conversation: Conversation) -> None: ...

    @bot.on_resync
    async def resync(event: Resync, ctx: Context) -> None: ...

    @bot.every(seconds=1)
    async def tick() -> None: ...

    @bot.on_ready
    async def ready(ctx: Context) -> None: ...

    @bot.error
    async def error(exception: Exception, event: ConversationEvent | None) -> None: ...

    @bot.middleware
    async def around(event: ConversationEvent, ctx: Context, call_next: CallNext) -> object:
        return await call_next()

    @bot.message()  # type: ignore[arg-type]
    async def of_another_event(event: Assigned) -> None: ...

    @bot.message()  # type: ignore[arg-type]
    def not_async(event: MessageReceived) -> None: ...

    @bot.updated(Done)  # type: ignore[arg-type]
    async def of_another_type(event: Assigned) -> None: ...

    @bot.every(seconds=1)  # type: ignore[type-var]
    async def of_two(a: int, b: int) -> None: ...

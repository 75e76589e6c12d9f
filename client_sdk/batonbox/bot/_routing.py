"""An event's way through routers: middleware, the first handler that matches, errors."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from batonbox._events import ConversationEvent
from batonbox.bot._context import Context
from batonbox.bot._handlers import PASS, Handler
from batonbox.bot._router import Route, Router

__all__ = ["Again", "guarded", "handled", "report", "route", "said"]

# Whether an error, of this router, is raised to the top for another attempt instead of told.
Again: TypeAlias = Callable[[BaseException, Router], bool]

_log = logging.getLogger("batonbox.bot")


def _never(_: BaseException, __: Router) -> bool:
    return False


async def route(
    router: Router, event: ConversationEvent, ctx: Context, again: Again = _never
) -> object:
    """PASS: nobody took it. Raises what is tried again, or no router's `error` wants to hear."""

    async def tried() -> object:
        for each in router._routes:
            taken = await _try(each, event, ctx, again)
            if taken is not PASS:
                return taken
        return PASS

    try:
        return await _through(router._middlewares, event, ctx, tried)
    except Exception as error:
        if again(error, router) or not router._errors:
            raise
        await _tell(router._errors, error, event, ctx)
        return None


async def _try(
    each: Route | Router, event: ConversationEvent, ctx: Context, again: Again
) -> object:
    if isinstance(each, Router):
        return await route(each, event, ctx, again)
    found = await each.matcher.match(event)
    if not found:
        return PASS
    match = found if isinstance(found, re.Match) else None
    return await ctx.run(each.handler, event=event, match=match)


async def _through(
    middlewares: Sequence[Handler],
    event: ConversationEvent,
    ctx: Context,
    within: Callable[[], Awaitable[object]],
) -> object:
    if not middlewares:
        return await within()
    outcomes: list[object] = []

    async def call_next() -> object:
        outcomes.append(await _through(middlewares[1:], event, ctx, within))
        return outcomes[-1]

    returned = await ctx.run(middlewares[0], event=event, call_next=call_next)
    # A middleware that returns nothing does not change what became of the event.
    return outcomes[-1] if outcomes and returned is not PASS else returned


async def guarded(
    router: Router, ctx: Context, handler: Handler, again: Again = _never, **offered: Any
) -> None:
    """Run what is no event's handler; what it raises goes to the nearest router's `error`.

    Raises what is tried again.
    """
    try:
        await ctx.run(handler, **offered)
    except (Exception, asyncio.CancelledError) as error:
        if _from_outside(error) or again(error, router):
            raise
        await report(router, error, None, ctx)


async def report(
    router: Router | None, error: BaseException, event: ConversationEvent | None, ctx: Context
) -> None:
    """Tell the nearest router upwards that wants to hear of it, else the log."""
    while router is not None and not router._errors:
        router = router._parent
    if router is not None and isinstance(error, Exception):
        await _tell(router._errors, error, event, ctx)
    else:
        _log.error("%s failed", said(event), exc_info=error)


async def handled(
    bot: Router, event: ConversationEvent, ctx: Context, again: Again = _never
) -> None:
    """Route it from the top, to its end whatever happens; raises what is tried again."""
    try:
        await route(bot, event, ctx, again)
    except (Exception, asyncio.CancelledError) as error:
        if _from_outside(error) or again(error, bot):
            raise
        await report(None, error, event, ctx)


async def _tell(
    errors: Sequence[Handler], error: Exception, event: ConversationEvent | None, ctx: Context
) -> None:
    for each in errors:
        try:
            await ctx.run(each, exception=error, event=event)
        except Exception as another:
            another.__context__ = error
            _log.error("%s failed while it was told of an error", each.label, exc_info=another)


def _from_outside(error: BaseException) -> bool:
    """Whether this task is cancelled; a handler may also await something that was."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def said(event: ConversationEvent | None) -> str:
    """Whose handler it was that failed, for the log."""
    if event is None:
        return "a handler"
    of = f"{event.inbox}/{event.seq} of {event.conversation.id}"
    return f"a handler of {type(event).__name__} {of}"

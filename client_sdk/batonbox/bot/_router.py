"""Routers: who handles what, in the order of registration."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from batonbox._events import ConversationEvent, MessageReceived, Resync
from batonbox.bot._handlers import CallNext, Handler, Registers, handler_of
from batonbox.bot._matching import (
    Filter,
    Matcher,
    Names,
    matcher_of_messages,
    matcher_of_updates,
    named,
    names_of,
)

if TYPE_CHECKING:
    from batonbox._conversation import Conversation
    from batonbox.bot._context import Context

__all__ = ["Every", "Route", "Router", "Unassigned"]

T = TypeVar("T")
A = TypeVar("A", bound=ConversationEvent)
B = TypeVar("B", bound=ConversationEvent)
C = TypeVar("C", bound=ConversationEvent)
ReadyT = TypeVar(
    "ReadyT", bound="Callable[[], Coroutine[Any, Any, Any]] | Callable[[Context], Any]"
)
ErrorT = TypeVar(
    "ErrorT", bound="Callable[[Exception, ConversationEvent | None], Coroutine[Any, Any, Any]]"
)
MiddlewareT = TypeVar(
    "MiddlewareT",
    bound="Callable[[ConversationEvent, Context, CallNext], Coroutine[Any, Any, Any]]",
)


@dataclass(frozen=True, slots=True)
class Route:
    """A handler, and which events it wants."""

    matcher: Matcher
    handler: Handler


@dataclass(frozen=True, slots=True)
class Every:
    """A handler that runs every `seconds`."""

    seconds: float
    handler: Handler
    router: Router


@dataclass(frozen=True, slots=True)
class Unassigned:
    """A handler of conversations that have waited `older_than_s`."""

    older_than_s: float
    inboxes: frozenset[str] | None
    handler: Handler
    router: Router


class Router:
    """Handlers that belong together; include it in a bot, or in another router.

    Of an event's handlers the first that matches has it, in the order of registration, where an
    included router stands where it was included; one that returns `PASS` leaves it to the next.
    A handler takes `(event)` or `(event, ctx)`.  All decorators return the function unchanged, and
    raise TypeError or ValueError for what cannot work.
    """

    _is_bot = False

    def __init__(self) -> None:
        self._routes: list[Route | Router] = []
        self._periodic: list[Every] = []
        self._waits: list[Unassigned] = []
        self._ready: list[Handler] = []
        self._resyncs: list[Handler] = []
        self._errors: list[Handler] = []
        self._middlewares: list[Handler] = []
        self._parent: Router | None = None

    def include(self, router: Router) -> None:
        """Try the router's handlers here in the order; it may stand in one place only."""
        given: object = router
        if not isinstance(given, Router) or given._is_bot:
            raise TypeError(f"include() takes a Router, not {given!r}")
        if router._parent is not None:
            raise ValueError("this router is included already; make another one for another place")
        above: Router | None = self
        while above is not None:
            if above is router:
                raise ValueError("a router cannot include itself")
            above = above._parent
        self._free()
        router._parent = self
        self._routes.append(router)

    def message(
        self,
        pattern: str | re.Pattern[str] | None = None,
        *,
        inbox: Names | None = None,
        status: Names | None = None,
        filter: Filter | None = None,  # noqa: A002
    ) -> Registers[MessageReceived]:
        """Customers' messages whose text has the pattern (`re.search`); `ctx.match` is the match.

        `inbox`, `status`: of the conversation with the message in it ("unassigned", "assigned"),
        one or several.  `filter`: a function of the event, async or not, that says True.  Keywords
        such as STOP, which the server answers, are not handed over: see `updated`.
        """
        return self._route(
            matcher_of_messages(pattern, inbox=inbox, status=status, filter=filter), "message()"
        )

    @overload
    def updated(
        self,
        a: type[A],
        /,
        *,
        reason: Names | None = None,
        inbox: Names | None = None,
        filter: Filter | None = None,
    ) -> Registers[A]: ...

    @overload
    def updated(
        self,
        a: type[A],
        b: type[B],
        /,
        *,
        reason: Names | None = None,
        inbox: Names | None = None,
        filter: Filter | None = None,
    ) -> Registers[A | B]: ...

    @overload
    def updated(
        self,
        a: type[A],
        b: type[B],
        c: type[C],
        /,
        *,
        reason: Names | None = None,
        inbox: Names | None = None,
        filter: Filter | None = None,
    ) -> Registers[A | B | C]: ...

    @overload
    def updated(
        self,
        *types: type[ConversationEvent],
        reason: Names | None = None,
        inbox: Names | None = None,
        filter: Filter | None = None,
    ) -> Registers[ConversationEvent]: ...

    def updated(
        self,
        *types: type[ConversationEvent],
        reason: Names | None = None,
        inbox: Names | None = None,
        filter: Filter | None = None,  # noqa: A002
    ) -> Registers[Any]:
        """Whatever happened to a conversation, of these types or of any.

        `reason`: of those that have one (Returned, Woken, DeliveryChanged, MessageReceived); the
        others as of `message`.
        """
        matcher = matcher_of_updates(types, reason=reason, inbox=inbox, filter=filter)
        return self._route(matcher, "updated()")

    def unassigned(
        self, *, older_than_s: float, inbox: Names | None = None
    ) -> Registers[Conversation]:
        """A conversation that nobody has owned for so many seconds, once each time it waits.

        The time counts from when it came (back) to the inbox; of those that were there before the
        bot, from when the customer wrote.  The handler takes `(conversation)` or `(conversation,
        ctx)`, in turn with the conversation's events.
        """
        _at_least(older_than_s, 0, "older_than_s=")
        inboxes = names_of("inbox", inbox)

        def register(function: Any) -> Any:
            handler = handler_of(function, "conversation", "ctx", of="unassigned()")
            self._free()._waits.append(Unassigned(older_than_s, inboxes, handler, self))
            return function

        return register

    def every(self, *, seconds: float) -> Callable[[ReadyT], ReadyT]:
        """Run it every so many seconds, for the first time after so many.

        It never runs twice at the same time: what falls into its own run is left out.  Of a group's
        copies one runs it.  It takes `()` or `(ctx)`.
        """
        _at_least(seconds, 0.001, "seconds=")

        def register(function: ReadyT) -> ReadyT:
            handler = handler_of(function, "ctx", least=0, of="every()")
            self._free()._periodic.append(Every(seconds, handler, self))
            return function

        return register

    def on_ready(self, function: ReadyT) -> ReadyT:
        """Once per start: connected, and before the first event is handled; `()` or `(ctx)`."""
        self._free()._ready.append(handler_of(function, "ctx", least=0, of="on_ready"))
        return function

    @overload
    def on_resync(
        self, function: Callable[[Resync], Coroutine[Any, Any, T]], /
    ) -> Callable[[Resync], Coroutine[Any, Any, T]]: ...

    @overload
    def on_resync(
        self, function: Callable[[Resync, Context], Coroutine[Any, Any, T]], /
    ) -> Callable[[Resync, Context], Coroutine[Any, Any, T]]: ...

    def on_resync(self, function: Any, /) -> Any:
        """Events are missing: read again what you derived from them; see `Resync`."""
        self._free()._resyncs.append(handler_of(function, "resync", "ctx", of="on_resync"))
        return function

    def error(self, function: ErrorT) -> ErrorT:
        """What this router's handlers, filters and middleware raise, and those of routers in it.

        It takes `(exception, event)`; the event is None for what is no event's.  The nearest router
        that has such a handler hears of it; without any it is logged.  The bot goes on.
        """
        of = "error"
        self._free()._errors.append(handler_of(function, "exception", "event", least=2, of=of))
        return function

    def middleware(self, function: MiddlewareT) -> MiddlewareT:
        """Around everything this router does with an event: `(event, ctx, call_next)`.

        `await call_next()` goes on, to the next middleware and then to the handlers; without it the
        event counts as handled, unless PASS is returned.  The first registered is the outermost.
        """
        of = "middleware"
        handler = handler_of(function, "event", "ctx", "call_next", least=3, of=of)
        self._free()._middlewares.append(handler)
        return function

    def _walk(self) -> Iterator[Router]:
        """This one, and all that are included, in order."""
        yield self
        for route in self._routes:
            if isinstance(route, Router):
                yield from route._walk()

    def _handlers(self) -> Iterator[Handler]:
        """All of this router alone, in order."""
        yield from (route.handler for route in self._routes if isinstance(route, Route))
        yield from (every.handler for every in self._periodic)
        yield from (wait.handler for wait in self._waits)
        for some in (self._ready, self._resyncs, self._errors, self._middlewares):
            yield from some

    def _route(self, matcher: Matcher, of: str) -> Registers[Any]:
        def register(function: Any) -> Any:
            handler = handler_of(function, "event", "ctx", of=of)
            self._free()._routes.append(Route(matcher, handler))
            return function

        return register

    def _free(self) -> Router:
        """Raises RuntimeError once it is in use."""
        root = self
        while root._parent is not None:
            root = root._parent
        if root._in_use():
            raise RuntimeError("the bot is running: register handlers before it starts")
        return self

    def _in_use(self) -> bool:
        return False


def _at_least(value: float, least: float, argument: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{argument} takes a number of seconds, not {named(value)}")
    if not math.isfinite(value) or value < least:
        raise ValueError(f"{argument} takes {least} seconds or more, not {value}")

"""What every blocking object has: the asynchronous one it stands for, and the way to its loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from batonbox._backoff import Backoff
from batonbox._client import Client as AsyncClient
from batonbox._models import Dur
from batonbox._transport import Codec
from batonbox._watching import Viewing as AsyncViewing
from batonbox.sync._portal import Portal

__all__ = ["ClientBase", "Handle", "Standing", "Token", "Viewing"]

A = TypeVar("A")
T = TypeVar("T")
Token = str | Callable[[], str]


class Standing(Generic[A]):
    """Stands for `its`, whose verbs run in the portal's loop."""

    __slots__ = ("_its", "_portal")

    def __init__(self, portal: Portal, its: A) -> None:
        self._portal = portal
        self._its = its

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._portal.run(work)

    def _call(self, ask: Callable[[], T]) -> T:
        return self._portal.call(ask)


class Handle(Standing[A]):
    """Of a conversation or a room."""

    __slots__ = ()

    def __repr__(self) -> str:
        return self._call(lambda: repr(self._its))


class Viewing(Standing[AsyncViewing]):
    """Looking at one conversation: `with conv.viewing() as view: view.typing()`."""

    __slots__ = ()

    @property
    def conv(self) -> str:
        """The conversation's id."""
        return self._its.conv

    def __enter__(self) -> Self:
        self._run(self._its.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._portal.running:
            self._run(self._its.__aexit__())

    @property
    def watchers(self) -> Mapping[str, str]:
        """Who else looks at it now: user to "viewing" or "typing"."""
        return self._call(lambda: dict(self._its.watchers))

    @property
    def is_typing(self) -> bool:
        """Whether I typed within the last six seconds."""
        return self._its.is_typing

    def typing(self) -> None:
        """I type; call it as often as you like."""
        self._call(self._its.typing)


class ClientBase(Standing[AsyncClient]):
    """A blocking client's own thread, and its beginning and end."""

    __slots__ = ("__weakref__",)

    def __init__(
        self,
        url: str | None = None,
        token: Token | None = None,
        *,
        timeout_s: float = 10.0,
        backoff: Backoff | None = None,
        codec: Codec = "msgpack",
        dur: Dur | None = None,
    ) -> None:
        its = AsyncClient(
            url, _aside(token), timeout_s=timeout_s, backoff=backoff, codec=codec, dur=dur
        )
        super().__init__(Portal(self.close), its)

    @property
    def url(self) -> str:
        """The server's base address."""
        return self._its.url

    def __enter__(self) -> Self:
        self._portal.start()
        try:
            self._run(self._its.__aenter__())
        except BaseException:
            self._portal.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection (1000); what waits in other threads ends."""
        if self._portal.running:
            try:
                self._run(self._its.aclose())
            finally:
                self._portal.stop()


def _aside(token: Token | None) -> str | Callable[[], Any] | None:
    """A provider that blocks shall not block the connection."""
    if not callable(token):
        return token
    if inspect.iscoroutinefunction(token):
        raise TypeError("token= of a blocking client takes a str or a plain function, not async")

    async def provided() -> str:
        return await asyncio.to_thread(token)

    return provided

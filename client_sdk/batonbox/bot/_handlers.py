"""What may be registered as a handler: checked at once, and named the same in every process."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar, overload

from batonbox._events import ConversationEvent, Resync

if TYPE_CHECKING:
    from batonbox._conversation import Conversation
    from batonbox.bot._context import Context

__all__ = ["PASS", "CallNext", "Handler", "Pass", "Registers", "handler_of"]

T = TypeVar("T")
E = TypeVar("E", bound="ConversationEvent | Resync | Conversation")


class Pass(Enum):
    """What a handler returns that leaves the event to the next one that matches."""

    PASS = "pass"  # noqa: S105 - no password

    def __repr__(self) -> str:
        return "batonbox.PASS"


# What a handler returns that leaves the event to the next one that matches.
PASS: Final = Pass.PASS

CallNext: TypeAlias = Callable[[], Awaitable[object]]


class Registers(Protocol[E]):
    """A decorator of a handler that takes `(event)` or `(event, ctx)`; gives it back unchanged."""

    @overload
    def __call__(
        self, handler: Callable[[E], Coroutine[Any, Any, T]], /
    ) -> Callable[[E], Coroutine[Any, Any, T]]: ...

    @overload
    def __call__(
        self, handler: Callable[[E, Context], Coroutine[Any, Any, T]], /
    ) -> Callable[[E, Context], Coroutine[Any, Any, T]]: ...


@dataclass(slots=True, eq=False)
class Handler:
    """A function of the user's, and the names of what it takes.

    `label` names it in command ids: the same function has the same one in every process.
    """

    function: Callable[..., Awaitable[object]]
    takes: tuple[str, ...]
    label: str

    async def __call__(self, **offered: object) -> object:
        return await self.function(*(offered[name] for name in self.takes))


def handler_of(function: object, *offered: str, least: int = 1, of: str) -> Handler:
    """The function as a handler of `of`, which offers these; it has to take the first `least`.

    Raises TypeError.
    """
    if not callable(function):
        raise TypeError(f"{of} decorates an async function, not {function!r}")
    label = _label_of(function)
    if not _is_async(function):
        raise TypeError(f"{label} has to be an async function: write `async def` ({of})")
    signature = inspect.signature(function)
    for takes in range(len(offered), least - 1, -1):
        try:
            signature.bind(*offered[:takes])
        except TypeError:
            continue
        return Handler(function, offered[:takes], label)
    ways = [f"({', '.join(offered[:takes])})" for takes in range(least, len(offered) + 1)]
    raise TypeError(f"{label} has to take {' or '.join(ways)}, and takes {signature} ({of})")


def _is_async(function: Callable[..., object]) -> bool:
    if inspect.iscoroutinefunction(function):
        return True
    return inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _label_of(function: object) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    if not hasattr(function, "__qualname__"):
        function = type(function)
    module = getattr(function, "__module__", None) or ""
    if module == "__main__":
        module = _main_module()
    return f"{module}:{getattr(function, '__qualname__', '')}"


def _main_module() -> str:
    """What `__main__` is called by who imports it."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    return Path(getattr(main, "__file__", None) or "__main__").stem

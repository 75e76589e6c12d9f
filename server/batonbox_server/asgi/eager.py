"""Running a coroutine as far as it goes without a task: most wait once, or never."""

from __future__ import annotations

import asyncio
import types
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from typing import Any

import structlog

from batonbox_server.tasks import spawn

__all__ = ["Suspended", "finish", "run", "start"]

_log = structlog.get_logger(__name__)


class Suspended:
    """A coroutine that has begun and waits for something; await it in a task, once."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    @types.coroutine
    def finish(self) -> Generator[Any, Any, Any]:
        """The rest of it; what it waits for is handed to the task that runs this."""
        waits_for = self._waits_for
        while True:
            try:
                value = yield waits_for
            except BaseException as error:  # a cancellation too is the coroutine's to see
                step = self._coroutine.throw
                try:
                    waits_for = step(error)
                except StopIteration as end:
                    return end.value
            else:
                try:
                    waits_for = self._coroutine.send(value)
                except StopIteration as end:
                    return end.value


def start(coroutine: Coroutine[Any, Any, Any]) -> Suspended | None:
    """Run up to the first wait; None when it came to its end. Raises what the coroutine raises.

    It must not ask for the current task before its first wait: there is none.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration:
        return None
    return Suspended(coroutine, waits_for)


def run(coroutine: Coroutine[Any, Any, None], owner: set[asyncio.Task[Any]], *, name: str) -> None:
    """Run it in a context of its own, and go on as soon as what it waits for first is there.

    If it waits again, a task of `owner` takes over.  Up to its first wait it must not ask for the
    current task, and what it raises is raised here; from then on a crash is logged.
    """
    _Errand(coroutine, owner, name).begin()


class _Errand:
    """Stands for a task while a coroutine goes on without one: nothing cancels it then."""

    __slots__ = ("_context", "_coroutine", "_name", "_owner", "_task")

    def __init__(
        self, coroutine: Coroutine[Any, Any, None], owner: set[asyncio.Task[Any]], name: str
    ) -> None:
        self._coroutine = coroutine
        self._owner = owner
        self._name = name
        self._context = copy_context()
        self._task: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        try:
            waits_for = self._context.run(self._coroutine.send, None)
        except StopIteration:
            return
        if getattr(waits_for, "_asyncio_future_blocking", False):
            waits_for._asyncio_future_blocking = False  # as a task does
            waits_for.add_done_callback(self._go_on, context=self._context)
        else:
            self._take_over(waits_for)

    def _go_on(self, awaited: asyncio.Future[Any]) -> None:
        loop = awaited.get_loop()
        _enter_task(loop, self)  # type: ignore[arg-type]  # see "Extending" in asyncio's reference
        try:
            waits_for = self._coroutine.send(None)
        except (StopIteration, asyncio.CancelledError):
            return
        except Exception as error:
            _log.error("task_crashed", task=self._name, exc_info=error)
            return
        finally:
            _leave_task(loop, self)  # type: ignore[arg-type]
        self._take_over(waits_for)

    def _take_over(self, waits_for: Any) -> None:
        rest = finish(Suspended(self._coroutine, waits_for))
        self._task = spawn(self._owner, rest, name=self._name, context=self._context)

    # What a timeout asks of the task that it began in, and a group of the one that it is in

    def cancel(self, msg: Any | None = None) -> bool:
        return self._task is not None and self._task.cancel(msg)

    def done(self) -> bool:
        return self._task is not None and self._task.done()

    def cancelling(self) -> int:
        return 0 if self._task is None else self._task.cancelling()

    def uncancel(self) -> int:
        return 0 if self._task is None else self._task.uncancel()


async def finish(suspended: Suspended) -> None:
    """The rest of it as a coroutine, which a task can run."""
    await suspended.finish()

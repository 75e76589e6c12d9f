"""Running a coroutine as far as it goes without a task: most writes never wait."""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from typing import Any

__all__ = ["Suspended", "start"]


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

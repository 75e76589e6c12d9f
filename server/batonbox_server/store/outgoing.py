"""A command on its way to the engine."""

from __future__ import annotations

import asyncio
from typing import Any

from .address import Place
from .resp import Argument, pack

__all__ = ["Waiting", "fail"]


class Waiting(asyncio.Future[Any]):
    """A command on its way: its bytes, and what may be done when it is not answered.

    `repeats`: it may be sent again, and is about the key `prefix`.  `until_s`: since its outcome
    became unknown, until when it is.  The second half is a cluster's: its slot, the order of the
    calls, since when it is held, why, and whom to ask once instead.
    """

    packed: bytes
    repeats = False
    prefix = ""
    sent_s = until_s = 0.0
    loads = 0

    slot = -1
    turn = 0
    held_s = 0.0
    refusal: Exception | None = None
    target: Place | None = None

    @classmethod
    def of(cls, args: tuple[Argument, ...], loop: asyncio.AbstractEventLoop) -> Waiting:
        """Not sent yet; `EngineClient.hand` does it."""
        waiting = cls(loop=loop)
        waiting.packed = pack(args)
        return waiting


def fail(waiting: Waiting, error: Exception) -> None:
    """Tell whoever still waits."""
    if not waiting.done():
        waiting.set_exception(error)

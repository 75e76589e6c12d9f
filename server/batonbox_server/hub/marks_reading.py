"""Reads the private marks that a log's followers need, some at a time, for as long as any are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from batonbox_server.errors import Refused
from batonbox_server.tasks import spawn

from .marked import Marked

if TYPE_CHECKING:
    from .seated import SeatedFollower

__all__ = ["MarksReading"]

_AGAIN_S: Final = 0.1


class MarksReading:
    """One per follower; its task lives only while something is needed."""

    def __init__(self, follower: SeatedFollower, marks: Marked[Any, Any, Any]) -> None:
        self._follower = follower
        self._marks = marks
        self._reading = False

    def soon(self) -> None:
        """Read what is needed, unless that is being done."""
        follower = self._follower
        if self._marks.needs and not self._reading and not follower.closed:
            self._reading = True
            spawn(follower.reads.tasks, self._read(), name=f"marks {follower.inbox}")

    async def _read(self) -> None:
        follower = self._follower
        try:
            while self._marks.needs and not follower.closed:
                some = sorted(self._marks.needs)[: follower.marks_at_once]
                await self._load(some)
                follower.settled()
                if self._marks.needs & set(some):
                    await asyncio.sleep(_AGAIN_S)
        finally:
            self._reading = False

    async def _load(self, users: Sequence[str]) -> None:
        numbers = {user: self._marks.begin(user) for user in users}
        found: Mapping[str, Any] = {}
        try:
            found = await self._follower.read_marks(users)
        except Refused as refused:
            if refused.slug == "not_found":
                self._follower.gone()
        for user, number in numbers.items():
            if user in found:
                self._marks.loaded(user, number, found[user])
            else:
                self._marks.failed(user, number)

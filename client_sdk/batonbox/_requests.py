"""Requests under way: what waits, what was sent, what may be sent again after a reconnect."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from batonbox._errors import ConnectionLost, OutcomeUnknown
from batonbox._wire import Frame

__all__ = ["CONTENT_RESEND_S", "OWNERSHIP_RESEND_S", "Request", "Requests", "resend_s"]

# The server keeps the first answer for 24 hours and 10 minutes; both ends' clocks and a sleeping
# laptop are why the client stops so much earlier.
CONTENT_RESEND_S = 12 * 3600.0
OWNERSHIP_RESEND_S = 60.0
_CONTENT = frozenset({"reply", "compose", "note", "post", "edit"})


def resend_s(command: str) -> float:
    """For how long after it was first sent a command may be sent again."""
    return CONTENT_RESEND_S if command in _CONTENT else OWNERSHIP_RESEND_S


@dataclass(slots=True, eq=False)
class Request:
    """One request; `command` is "" for reads, which may always be asked again."""

    id: int
    frame: Frame
    answer: asyncio.Future[Any]
    command: str = ""
    cid: str = ""
    conv: str = ""
    inbox: str = ""
    first_sent_s: float | None = None

    @property
    def sent(self) -> bool:
        """Whether it may have reached a server."""
        return self.first_sent_s is not None


class Requests:
    """Bounded table of requests; at most `in_flight` of them are sent and unanswered."""

    def __init__(self, *, clock: Callable[[], float], waiting_max: int = 4096) -> None:
        self.in_flight = 16
        self._clock = clock
        self._waiting_max = waiting_max
        self._waiting: deque[Request] = deque()
        self._sent: dict[int, Request] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._sent)

    def add(self, request: Request) -> None:
        """Line up; raises ConnectionLost when too many wait already."""
        if len(self._waiting) >= self._waiting_max:
            raise ConnectionLost(f"{len(self._waiting)} requests wait for a connection already")
        self._waiting.append(request)

    def due(self) -> list[Frame]:
        """Frames to send now, in the order in which they were asked."""
        frames: list[Frame] = []
        while self._waiting and len(self._sent) < self.in_flight:
            request = self._waiting.popleft()
            if request.answer.done():
                continue
            if request.first_sent_s is None:
                request.first_sent_s = self._clock()
            self._sent[request.id] = request
            frames.append(request.frame)
        return frames

    def take(self, id: int) -> Request | None:  # noqa: A002
        """The request that is answered; None for an answer nobody waits for."""
        return self._sent.pop(id, None)

    def drop(self, request: Request) -> None:
        """Its caller has given up: it will not be sent again."""
        self._sent.pop(request.id, None)
        if request in self._waiting:
            self._waiting.remove(request)

    def requeue(self) -> list[Request]:
        """A new connection: everything unanswered is sent again, but for what is too old.

        Returns the commands that were too old; their answers are OutcomeUnknown.
        """
        unanswered = [*self._sent.values(), *self._waiting]
        self._sent.clear()
        self._waiting.clear()
        expired: list[Request] = []
        for request in sorted(unanswered, key=lambda r: r.first_sent_s or float("inf")):
            if self._too_old(request):
                expired.append(request)
            else:
                self._waiting.append(request)
        for request in expired:
            if not request.answer.done():
                request.answer.set_exception(_unknown(request))
        return expired

    def fail(self, error: Exception) -> None:
        """There will be no connection any more."""
        for request in [*self._sent.values(), *self._waiting]:
            if not request.answer.done():
                unknown = request.sent and request.command
                request.answer.set_exception(_unknown(request) if unknown else error)
        self._sent.clear()
        self._waiting.clear()

    def _too_old(self, request: Request) -> bool:
        if not request.command or request.first_sent_s is None:
            return False
        return self._clock() - request.first_sent_s > resend_s(request.command)


def _unknown(request: Request) -> OutcomeUnknown:
    return OutcomeUnknown(command=request.command, cid=request.cid, conv=request.conv)

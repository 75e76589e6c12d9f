"""The primary among several engines, as their sentinels name it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, TypeAlias
from weakref import WeakKeyDictionary

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from batonbox_server.errors import BatonboxError, EngineUnavailable, EngineUnsuitable

from .address import Address, Place
from .resp import close_connection, open_connection, request, unreachable

__all__ = ["SentinelLocator"]

_log = structlog.get_logger(__name__)
# How long a sentinel may take to answer, and how long the last of them once most have answered.
_ASK_S: Final = 1.0
_LINGER_S: Final = 0.1
# How often a node that is connected looks whether another engine has become the primary.
_LOOK_S: Final = 1.0
# A primary that takes longer to let us in is asked for anew: another may have been chosen.
_OPEN_S: Final = 2.0


@dataclass(frozen=True, slots=True, order=True)
class _Named:
    """`epoch` numbers the failovers: of two sentinels the one with the higher number is right."""

    epoch: int
    place: Place


_Answer: TypeAlias = "_Named | BatonboxError"


class SentinelLocator:
    """Implements `locator.Locator`: asks all sentinels, for one alone may be cut off from the rest.

    A primary that was replaced keeps its connections and goes on taking writes, all of which are
    lost when it hears of it: so as long as there are links, the sentinels are asked once a second.
    """

    def __init__(self, address: Address) -> None:
        """`address`: of the topology `sentinel`."""
        self._address = address
        self._sentinels = [
            _Sentinel(address.sentinel(place), address.service) for place in address.places
        ]
        self._most = len(self._sentinels) // 2 + 1
        self._opened: WeakKeyDictionary[AbstractConnection, Place] = WeakKeyDictionary()
        self._turn = asyncio.Lock()
        self._named: _Named | None = None
        self._looked_s = float("-inf")
        self._silent = False

    async def open(self, *, timeout_s: float) -> AbstractConnection:
        """See Locator. Raises EngineUnavailable as well while there is no primary."""
        async with self._turn:
            place = (await self._ask()).place
        within_s = min(timeout_s, _OPEN_S)
        connection = await open_connection(self._address.at(place), timeout_s=within_s)
        self._opened[connection] = place
        return connection

    async def watch(self, connection: AbstractConnection) -> None:
        """See Locator."""
        here = self._opened[connection]
        while True:
            await asyncio.sleep(_LOOK_S)
            place = await self._look()
            if place not in (here, None):
                raise ConnectionResetError(f"the sentinels name another primary: {place}")

    async def aclose(self) -> None:
        """See Locator."""
        async with self._turn:
            for sentinel in self._sentinels:
                await sentinel.aclose()

    async def _look(self) -> Place | None:
        """The primary, asked for at most once a second by all links together; None: nobody says."""
        now_s = asyncio.get_running_loop().time
        async with self._turn:
            if now_s() - self._looked_s < _LOOK_S / 2 and self._named is not None:
                return self._named.place
            self._looked_s = now_s()
            try:
                place = (await self._ask()).place
            except BatonboxError as error:
                # Who cannot ask anybody keeps what they have: it may well be the primary.
                if not self._silent:
                    _log.warning("sentinels_silent", error=str(error))
                self._silent = True
                return None
            self._silent = False
            return place

    async def _ask(self) -> _Named:
        answers = await self._answers()
        named = [answer for answer in answers if isinstance(answer, _Named)]
        if not named:
            raise _nobody(answers)
        newest = max(named)
        # One that was cut off tells of the past. Most of them together do not: they are new.
        if self._named is not None and newest.epoch < self._named.epoch and len(named) < self._most:
            return self._named
        self._named = newest
        return newest

    async def _answers(self) -> list[_Answer]:
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(sentinel.ask()) for sentinel in self._sentinels]
        try:
            await asyncio.wait(tasks, timeout=_LINGER_S)
            if sum(_has_named(task) for task in tasks) < self._most:
                await asyncio.wait(tasks, timeout=_ASK_S)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return [
            EngineUnavailable("no answer") if task.cancelled() else task.result() for task in tasks
        ]


class _Sentinel:
    """One of them, with a connection that is kept for the next question."""

    def __init__(self, url: str, service: str) -> None:
        self._url = url
        self._service = service
        self._connection: AbstractConnection | None = None

    async def ask(self) -> _Answer:
        """Whom it names, or why it names nobody."""
        kept = self._connection is not None
        answer = await self._once()
        # A connection that was kept may have ended since; a new one tells.
        return await self._once() if kept and isinstance(answer, EngineUnavailable) else answer

    async def _once(self) -> _Answer:
        answered = False
        try:
            if self._connection is None:
                self._connection = await open_connection(self._url, timeout_s=_ASK_S)
            place = await request(
                self._connection, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service
            )
            if place is None:
                answered = True
                return EngineUnavailable(f"it knows no service {self._service!r}")
            master = await request(self._connection, "SENTINEL", "MASTER", self._service)
            answered = True
            fields = dict(zip(master[::2], master[1::2], strict=True))
            return _Named(int(fields[b"config-epoch"]), (place[0].decode(), int(place[1])))
        except BatonboxError as error:
            return error
        except (RedisError, OSError) as error:
            return unreachable(error)
        finally:
            # Cancelled between question and answer it would take the one for the other.
            if not answered:
                await self.aclose()

    async def aclose(self) -> None:
        """Close the connection; the next question opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await close_connection(connection)


def _has_named(task: asyncio.Task[_Answer]) -> bool:
    return task.done() and not task.cancelled() and isinstance(task.result(), _Named)


def _nobody(answers: list[_Answer]) -> BatonboxError:
    whys = "; ".join(dict.fromkeys(str(answer) for answer in answers))
    if all(isinstance(answer, EngineUnsuitable) for answer in answers):
        return EngineUnsuitable(
            f"The sentinels refuse us: {whys} For them the address has the options "
            "sentinel_username and sentinel_password."
        )
    return EngineUnavailable(
        f"The sentinels name no primary: {whys}. Check that they run, and that BATONBOX_REDIS_URL "
        "has their addresses and the service's name."
    )

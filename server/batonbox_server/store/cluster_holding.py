"""Commands of a cluster's slots that wait: the slot moves, or its primary is gone."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import Any, Final

from redis.exceptions import AskError

from batonbox_server.errors import EngineUnavailable, OutcomeUnknown
from batonbox_server.tasks import cancel_all, spawn

from .address import Place
from .connect import EngineClient
from .outgoing import Waiting, fail
from .unserved import why_unserved

__all__ = ["Holding"]

_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.1
_in_turn = attrgetter("turn")


class Holding:
    """Slots whose commands were refused: what came first is tried alone, and the rest waits for it.

    A function is never run where its slot is only moving to: some of the log's keys are here and
    some there, and it would take what is missing for what never was.  It waits until the move is
    over.  Any other command is about one key, and follows ASK.
    Other slots go on.  What is refused for longer than `patience_s` ends in EngineUnavailable.
    """

    def __init__(
        self,
        *,
        owner: Callable[[int], EngineClient],
        client_at: Callable[[Place], Awaitable[EngineClient]],
        patience_s: float,
        most: int,
        on_calm: Callable[[], None],
    ) -> None:
        """`owner` and `client_at` may raise EngineUnavailable; `most`: commands that may wait;
        `on_calm()` is called when none does any more."""
        self._owner = owner
        self._client_at = client_at
        self._patience_s = patience_s
        self._most = most
        self._on_calm = on_calm
        self._closed = False
        self._slots: dict[int, _Slot] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def __contains__(self, slot: int) -> bool:
        return slot in self._slots

    def __bool__(self) -> bool:
        return bool(self._slots)

    @property
    def count(self) -> int:
        """Commands that wait."""
        return sum(len(slot.waiting) for slot in self._slots.values())

    async def aclose(self) -> None:
        """Whatever waits fails."""
        self._closed = True
        await cancel_all(self._tasks)

    def later(self, waiting: Waiting) -> None:
        """A command of a slot that is held; raises EngineUnavailable: too many wait."""
        if self.count >= self._most:
            raise EngineUnavailable("The engine is overloaded; retry with the same id.")
        waiting.held_s = asyncio.get_running_loop().time()
        self._slots[waiting.slot].waiting.append(waiting)

    def behind(self, number: int, client: EngineClient) -> None:
        """Hold what is called about a slot until this client has its answers: it serves the slot no
        more, and has commands under way."""
        slot = self._held(number)
        if client not in slot.behind:
            slot.behind.append(client)

    def refused(self, waiting: Waiting, error: Exception, *, by: EngineClient | None) -> None:
        """`by` has done nothing; None: what has become of it is unknown, and its client gone."""
        if waiting.done():
            return  # nobody waits for it
        waiting.held_s = waiting.held_s or asyncio.get_running_loop().time()
        waiting.refusal = error
        slot = self._held(waiting.slot)
        slot.waiting.append(waiting)
        if not slot.has_come_back(waiting) and by is not None:
            self.behind(waiting.slot, by)

    def _held(self, number: int) -> _Slot:
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = _Slot(number)
            spawn(self._tasks, self._mend(slot), name="cluster-slot")
        return slot

    def answered(self, waiting: Waiting) -> None:
        """What was called before it about the same prefix has not been done, and must not be."""
        slot = self._slots.get(waiting.slot)
        if slot is None or not waiting.prefix:
            return
        for other in slot.waiting:
            if other.prefix == waiting.prefix and other.turn < waiting.turn:
                _give_up(other)

    async def _mend(self, slot: _Slot) -> None:
        try:
            pause_s = 0.0  # who was told where to go goes there at once
            while True:
                while slot.behind:
                    await _all_answered(slot.behind.pop())
                first = slot.first(self._patience_s)
                if first is None or await self._try(slot, first) is None:
                    return
                await asyncio.sleep(random.uniform(0, pause_s))  # noqa: S311
                pause_s = min(max(2 * pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        finally:
            del self._slots[slot.number]
            for waiting in sorted(slot.waiting, key=_in_turn):
                self._pass_on(waiting)
            if not self._slots:
                self._on_calm()

    async def _try(self, slot: _Slot, first: Waiting) -> Exception | None:
        """Send it alone; why it was refused, None: it was answered, or nobody waits any more."""
        target, first.target = first.target, None
        try:
            client = await self._client_at(target) if target else self._owner(slot.number)
            if target:
                # One connection, one after the other: it holds for the very next command.
                client.execute("ASKING").add_done_callback(_unheeded)
            client.hand(first)
        except EngineUnavailable as error:
            slot.waiting.append(first)
            first.refusal = error
            return error
        except BaseException:
            slot.waiting.append(first)
            raise
        told = slot.on_its_way(first)
        await told
        return None if first.done() else first.refusal

    def _pass_on(self, waiting: Waiting) -> None:
        if waiting.done():
            return
        if self._closed:
            _give_up(waiting)
            return
        try:
            self._owner(waiting.slot).hand(waiting)
        except EngineUnavailable as error:
            waiting.refusal = error
            _give_up(waiting)


class _Slot:
    """`waiting`: neither sent nor answered; one more at most is on its way.

    `behind`: clients that served it before, and have answers to come.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.waiting: list[Waiting] = []
        self.behind: list[EngineClient] = []
        self._sent: tuple[Waiting, asyncio.Future[None]] | None = None

    def first(self, patience_s: float) -> Waiting | None:
        """What is to be tried next, and waits no longer in the line."""
        now_s = asyncio.get_running_loop().time()
        self.waiting.sort(key=_in_turn)
        while self.waiting:
            first = self.waiting.pop(0)
            if now_s >= (first.until_s or first.held_s + patience_s):
                _give_up(first)
            if not first.done():
                return first
        return None

    def on_its_way(self, first: Waiting) -> asyncio.Future[None]:
        """Done when it has been answered, or has come back."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sent = first, told
        first.add_done_callback(lambda _: _tell(told))
        return told

    def has_come_back(self, waiting: Waiting) -> bool:
        """Whether it is the one that was on its way."""
        if self._sent is None or self._sent[0] is not waiting:
            return False
        told, self._sent = self._sent[1], None
        _tell(told)
        return True


def _tell(told: asyncio.Future[None]) -> None:
    if not told.done():
        told.set_result(None)


def _give_up(waiting: Waiting) -> None:
    if waiting.until_s:
        fail(waiting, OutcomeUnknown("The outcome is unknown; retry with the same id."))
        return
    error = waiting.refusal
    if isinstance(error, AskError):
        why = "its cluster moves this slot"
    else:
        why = (why_unserved(error) or str(error)) if error else "its cluster changes"
    fail(waiting, EngineUnavailable(f"The engine takes no commands now: {why}; retry."))


async def _all_answered(client: EngineClient) -> None:
    """Until the client has the answers to all that was sent so far, or no connection any more."""
    while client.state:
        with contextlib.suppress(EngineUnavailable):
            await client.execute("PING")
            return
        await asyncio.sleep(_FIRST_PAUSE_S)  # as much is under way as may be


def _unheeded(asking: asyncio.Future[Any]) -> None:
    if not asking.cancelled():
        asking.exception()

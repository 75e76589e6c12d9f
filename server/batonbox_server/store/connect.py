"""The engine's client: one connection, commands of one loop tick coalesced, replies in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoPermissionError, ResponseError

from batonbox_server.errors import EngineUnavailable, OutcomeUnknown, Refused

from .lane import Lane, Need
from .library import Library
from .link import Jobs, Link
from .locator import Locator, located
from .outgoing import Waiting, fail
from .resp import Argument, Replies, request
from .sight import Sight, sight_of
from .unserved import Unserved, demoted, why_unserved

__all__ = ["RESEND_S", "EngineClient"]

# How long a script whose outcome is unknown is sent again before its caller is told so.
RESEND_S: Final = 2.0
# Writes under way: the engine works on one while the next is on its way, and whatever is called
# meanwhile shares the one after. Each write costs both sides a wake-up, and the engine an fsync.
_WRITES_MOST: Final = 2
# Unless the last one was so long ago: an engine that is slow, or far away, is waited for once.
_APART_S: Final = 0.005
# How often a library that the engine does not have is handed to it for one call.
_LOADS_MOST: Final = 3


class EngineClient:
    """Commands in, replies out, over one connection that is kept up in the background.

    `at`: the URL of one server, or a locator of a primary among several.
    Commands take effect in the order of the calls.  Those of `execute` are never sent twice, those
    of `evaluate` are: after a lost connection, and when the engine has forgotten the function; then
    before everything that was called later.
    `on_replies` is called after the futures of a batch of replies were resolved, before any of
    those who wait for them runs.  `on_state` is called with True when the connection comes up (the
    first time included) and with False when it is lost.  Both must be cheap and must not raise.
    """

    def __init__(
        self,
        at: str | Locator,
        *,
        command_timeout_s: float = 5.0,
        max_in_flight: int = 4096,
        on_state: Callable[[bool], None] | None = None,
        on_refused: Callable[[Waiting, Exception], bool] = lambda *_: False,
    ) -> None:
        """`on_refused`: of a command that failed; True: it is not ours any more."""
        self._timeout_s = command_timeout_s
        self._max_in_flight = max_in_flight
        self.on_state = on_state
        self.on_answer: Callable[[Waiting], None] | None = None  # of a command that did not fail
        self._on_refused = on_refused
        self.on_replies: Callable[[], None] = lambda: None
        self._up = False
        self._ups = 0  # connections so far
        self._engine: Replies | None = None
        self._known: set[Library] = set()
        # Every command is in one of these; in this order they were called, and take effect.
        self._sent: deque[Waiting] = deque()
        self._unknown: list[Waiting] = []  # to the engine as functions, or for lack of a reply
        self._unsent: list[Waiting] = []
        self._writes: deque[int] = deque()  # of those under way: commands without a reply
        self._due = self._full = False
        self._later: asyncio.TimerHandle | None = None
        self._failure: Exception | None = None
        self._demoted = False
        self._unloaded = "retry"
        self._unserved = Unserved()
        self._wake = asyncio.Event()
        # Of the connection: to ask for the running one is a system call (getpid), once per command.
        self._loop: asyncio.AbstractEventLoop | None = None
        self.locator = located(at)
        self._link = Link(
            self.locator,
            name="engine-client",
            timeout_s=command_timeout_s,
            prepare=self._load_missing,
            jobs=self._jobs,
            on_up=self._came_up,
            on_down=self._went_down,
        )
        self._lane = Lane(
            partial(Link, self.locator, timeout_s=command_timeout_s), timeout_s=command_timeout_s
        )

    @property
    def state(self) -> bool:
        """Whether the connection is up."""
        return self._up

    @property
    def away(self) -> tuple[str, ...]:
        """See the protocol; one server is there or not."""
        return ()

    def load(self) -> tuple[float, float]:
        """Seconds since the oldest command was sent that waits for its reply, and the share of
        commands under way of those that may be."""
        waiting = len(self._sent) + len(self._unknown) + len(self._unsent)
        now_s = asyncio.get_running_loop().time()
        oldest_s = now_s - self._sent[0].sent_s if self._sent else 0.0
        return oldest_s, waiting / self._max_in_flight

    @property
    def server_name(self) -> str:
        """`redis` or `valkey`; empty before the first connect."""
        return self._link.server.name

    @property
    def server_version(self) -> str:
        """As the server says it, e.g. `9.1.2`."""
        return self._link.server.version

    async def connect(self) -> None:
        """Connect and check the engine; from then on the connection is kept up.

        Raises:
            EngineUnavailable: not reachable.
            EngineUnsuitable: too old, it may evict keys, or it refuses our credentials.
        """
        await self._link.connect()

    async def aclose(self) -> None:
        """Close; commands still waiting for a reply end in `OutcomeUnknown`."""
        await self._lane.aclose()
        await self._link.aclose()
        self._give_up(float("inf"))

    def know(self, libraries: Iterable[Library]) -> None:
        """Whose functions `evaluate` may call; the engine is given them on every connect."""
        self._known.update(libraries)

    async def ask(self, *args: Argument) -> Any:
        """`execute` of what may be repeated; raises Refused("unavailable") when it fails."""
        try:
            return await self.execute(*args)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error

    def execute(self, *args: Argument) -> asyncio.Future[Any]:
        """Send a command; await the result for its reply (bytes undecoded, RESP2 shapes).

        Cancelling the wait leaves the command to its fate and every other reply in its place.

        Raises:
            EngineUnavailable: at once when down or over `max_in_flight`, and certainly not sent;
                (awaited) the engine takes none just now, and did nothing.
            OutcomeUnknown: (awaited) the connection broke, or no reply came in time.
            redis.exceptions.ResponseError: (awaited) the engine's error reply.
        """
        return self._begin(args)

    def evaluate(self, function: str, prefix: str, args: Iterable[Argument]) -> asyncio.Future[Any]:
        """`execute` of a known library's function with one key, which may be sent again.

        Raises:
            EngineUnavailable: as `execute`.
            OutcomeUnknown: (awaited) it was sent again for RESEND_S, and never answered.
        """
        waiting = self._begin(("FCALL", function, 1, prefix, *args))
        waiting.repeats, waiting.prefix = True, prefix
        return waiting

    async def look(self) -> Sight:
        """What the engine can promise about writes; raises as `execute` does."""
        said = [await self.execute("INFO", part) for part in ("replication", "persistence")]
        try:
            _, appendfsync = await self.execute("CONFIG", "GET", "appendfsync")
        except (ResponseError, ValueError):
            appendfsync = b""  # hosted engines often forbid CONFIG
        return sight_of(b"".join(said), appendfsync, self.server_version)

    def since(self) -> object:
        """Names the present connection; before a write, for `lasts`."""
        return self._ups

    async def lasts(self, prefix: str, need: Need, *, since: object, within_ms: int) -> bool:
        """See `Engine.lasts`.

        What this connection has answered is what its engine has done; and the lane has to speak to
        the very same process, or it would wait for what somebody else wrote.
        """
        if since != self._ups or not self._up:
            return False
        sure = await self._lane.lasts(prefix, need, within_ms=within_ms)
        same = self._lane.run == self._link.server.run != ""
        return sure and same and since == self._ups

    def hand(self, waiting: Waiting) -> None:
        """`execute` of what was made elsewhere; raises as it does."""
        if not self._up:
            raise EngineUnavailable("The engine is not reachable; retry with the same id.")
        if len(self._sent) + len(self._unknown) + len(self._unsent) >= self._max_in_flight:
            raise EngineUnavailable("The engine is overloaded; retry with the same id.")
        self._unsent.append(waiting)
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def busy(self) -> set[int]:
        """The slots of commands under way."""
        under_way = (*self._sent, *self._unknown, *self._unsent)
        return {waiting.slot for waiting in under_way if waiting.slot >= 0}

    def leave(self, goes: Callable[[Waiting], bool]) -> list[Waiting]:
        """Let go of commands whose outcome is unknown, while no connection is up."""
        left = [waiting for waiting in self._unknown if goes(waiting)]
        self._unknown = [waiting for waiting in self._unknown if not goes(waiting)]
        return left

    def drop(self) -> None:
        """Give this connection up as lost."""
        self._failure = ConnectionResetError("another engine serves what this one did")
        self._wake.set()

    def _begin(self, args: tuple[Argument, ...]) -> Waiting:
        waiting = Waiting.of(args, self._loop or asyncio.get_running_loop())
        self.hand(waiting)
        return waiting

    # Writing

    def _are_apart(self) -> bool:
        """Whether another write may follow those under way; if not, it is looked at again."""
        loop = asyncio.get_running_loop()
        left_s = self._sent[-1].sent_s + _APART_S - loop.time()
        if left_s > 0 and self._later is None:
            self._later = loop.call_later(left_s, self._flush_late)
        return left_s <= 0

    def _flush_late(self) -> None:
        self._later = None
        self._flush()

    def _flush(self) -> None:
        """Write what was called in this turn of the loop, unless something has to come before."""
        self._due = False
        engine = self._engine
        if engine is None or self._full or self._unknown or not self._unsent:
            return
        if len(self._writes) >= _WRITES_MOST and not self._are_apart():
            return  # until one has been answered, or then
        batch, self._unsent = self._unsent, []
        at_s = asyncio.get_running_loop().time()
        for waiting in batch:
            waiting.sent_s = at_s
        # Counted as sent before the write: a write that fails half-way may have arrived.
        self._sent.extend(batch)
        self._writes.append(len(batch))
        try:
            self._full = not engine.write(b"".join([waiting.packed for waiting in batch]))
        except Exception as error:  # uvloop raises on a closed transport: not the callers' affair
            self._failure, self._full = error, True
        if self._full:
            self._wake.set()

    def _jobs(self, connection: AbstractConnection) -> Jobs:
        engine = self._engine = Replies(connection, self._heard)
        self._loop = asyncio.get_running_loop()
        self._flush()
        return self._keep_room(engine), engine.ended(), self._watch()

    async def _keep_room(self, engine: Replies) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._failure is not None:
                raise self._failure
            await engine.room()
            self._full = False
            self._flush()

    async def _watch(self) -> None:
        now_s = asyncio.get_running_loop().time
        while True:
            began_s = now_s()
            await asyncio.sleep(self._timeout_s / 10)
            # While the loop was late a reply may have come that is still to be read.
            late_s = now_s() - began_s - self._timeout_s / 10
            if self._sent and now_s() - self._sent[0].sent_s - 2 * late_s > self._timeout_s:
                raise TimeoutError(f"no reply within {self._timeout_s} s")

    # Reading

    def _heard(self, batch: list[Any]) -> None:
        sent = self._sent
        for reply in batch:
            if not sent:
                raise ConnectionResetError(f"a reply nobody asked for: {reply!r}")
            waiting = sent.popleft()
            self._answered()
            if isinstance(reply, Exception):
                self._refused(waiting, reply)
            else:
                if self._unknown:
                    self._overtaken(waiting.prefix)
                if self.on_answer is not None:
                    self.on_answer(waiting)
                if not waiting.done():  # its caller may have been cancelled
                    waiting.set_result(reply)
        self.on_replies()
        if self._demoted:
            raise ConnectionResetError("the engine has become a replica")
        if self._unknown and not sent:
            self._load_and_repeat()
        elif self._unsent and not self._due:
            self._flush()  # what was held back

    def _answered(self) -> None:
        self._writes[0] -= 1
        if not self._writes[0]:
            self._writes.popleft()

    def _refused(self, waiting: Waiting, error: Exception) -> None:
        if self._on_refused(waiting, error):
            return
        if _forgotten(error) and waiting.repeats and waiting.loads < _LOADS_MOST:
            # Whatever was called later waits, or what was called first would come last.
            waiting.loads += 1
            self._unknown.append(waiting)
        elif why := why_unserved(error):
            self._unserved.tell(error, why, asyncio.get_running_loop().time())
            self._demoted = self._demoted or demoted(error)
            fail(waiting, EngineUnavailable(f"The engine takes no commands now: {why}; retry."))
        elif _forgotten(error) and waiting.repeats:
            fail(waiting, EngineUnavailable(f"It takes none of our functions: {self._unloaded}"))
        else:
            fail(waiting, error)

    def _overtaken(self, prefix: str) -> None:
        """Somebody loaded a library between two commands of ours: what came first was not done."""
        late = [waiting for waiting in self._unknown if waiting.prefix == prefix]
        self._unknown = [waiting for waiting in self._unknown if waiting.prefix != prefix]
        for waiting in late:
            fail(waiting, EngineUnavailable("The engine had lost its functions; retry."))

    def _load_and_repeat(self) -> None:
        """The engine has forgotten functions, and everything that was sent has been answered."""
        loads = []
        for library in self._known:
            load = Waiting.of(("FUNCTION", "LOAD", library.source), asyncio.get_running_loop())
            load.add_done_callback(self._loaded)
            loads.append(load)
        self._unsent = [*loads, *self._unknown, *self._unsent]
        self._unknown = []
        self._flush()

    def _loaded(self, load: asyncio.Future[Any]) -> None:
        """Whoever needs a function that could not be loaded is told why."""
        if not load.cancelled() and (error := load.exception()) is not None:
            self._unloaded = str(error)

    # The connection

    async def _load_missing(self, connection: AbstractConnection) -> None:
        for library in self._known:
            if await request(connection, "FUNCTION", "LIST", "LIBRARYNAME", library.name):
                continue
            try:
                await request(connection, "FUNCTION", "LOAD", library.source)
            except NoPermissionError:
                raise
            except ResponseError:
                pass  # it takes no writes just now and can still be read; callers are told

    def _came_up(self) -> None:
        self._up = True
        self._ups += 1
        self._unsent, self._unknown = self._unknown, []
        if self.on_state is not None:
            self.on_state(True)

    def _went_down(self) -> None:
        loop = asyncio.get_running_loop()
        self._up = self._full = self._demoted = False
        self._engine = self._failure = None
        self._wake.clear()
        now_s = loop.time()
        sent, self._unknown, unsent = [*self._sent], [], [*self._unknown, *self._unsent]
        self._sent.clear()
        self._writes.clear()
        self._unsent = []
        for waiting in sent:
            if waiting.repeats:
                waiting.until_s = waiting.until_s or now_s + RESEND_S
                self._unknown.append(waiting)
            else:
                fail(waiting, OutcomeUnknown("The connection to the engine broke after sending."))
        for waiting in unsent:
            if waiting.until_s:
                self._unknown.append(waiting)
            else:
                why = "The connection to the engine broke before sending."
                fail(waiting, EngineUnavailable(why))
        self._give_up(now_s)
        if self._unknown:
            loop.call_later(RESEND_S, self._expire)
        if self.on_state is not None:
            self.on_state(False)

    def _expire(self) -> None:
        if not self._up:
            self._give_up(asyncio.get_running_loop().time())

    def _give_up(self, now_s: float) -> None:
        late = [waiting for waiting in self._unknown if waiting.until_s <= now_s]
        self._unknown = [waiting for waiting in self._unknown if waiting.until_s > now_s]
        for waiting in late:
            fail(waiting, OutcomeUnknown("The outcome is unknown; retry with the same id."))


def _forgotten(error: Exception) -> bool:
    return type(error) is ResponseError and str(error) == "Function not found"

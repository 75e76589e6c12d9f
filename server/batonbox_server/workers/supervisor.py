"""Keeps so many workers serving: starts them, replaces them in turn, ends them."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from batonbox_server import control
from batonbox_server.config import ConfigError
from batonbox_server.errors import BatonboxError
from batonbox_server.signals import Stop
from batonbox_server.tasks import cancel_all, spawn

from .process import Start, WorkerProcess

__all__ = ["Supervisor"]

_log = structlog.get_logger(__name__)
_START_S: Final = 120.0
_ASK_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 30.0
# Starts of one worker that failed in a row, after which a server with no other worker ends.
_TRIES: Final = 8
_WATCH_S: Final = 5.0
_HUNG_S: Final = 30.0
# Those whom the old worker closed are back by then, mostly.
_LATE_S: Final = 2.0
# Beyond its drain: closing connections, the engine's and the archive's last answers.
_MARGIN_S: Final = 15.0


@dataclass(eq=False, slots=True)
class _Slot:
    number: int
    worker: WorkerProcess | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Supervisor:
    """`start`, then `run`; `aclose` ends whatever is left.

    `first` is what a worker is told but for its number. Worker n of N accepts on listener n; while
    it is replaced its successor accepts on all of them and the others on none, so that those who
    leave the old one do not pile up on its neighbours. Where there is one listener, all accept.
    """

    def __init__(self, first: Start, *, count: int, folder: Path, drain_s: float) -> None:
        self._first = first
        self._folder = folder
        self._drain_s = drain_s
        self._slots = [_Slot(number) for number in range(count)]
        self.deaths = [0] * count  # that nobody had asked for, by worker
        self._alive: set[WorkerProcess] = set()
        self._accepting: dict[WorkerProcess, list[int]] = {}
        self._favoured: WorkerProcess | None = None
        self._telling = asyncio.Lock()
        self._rolling: asyncio.Task[Any] | None = None
        self._again = False
        self._runs = False
        self._failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def serving(self) -> list[WorkerProcess]:
        """Who serves now, by number."""
        found = (slot.worker for slot in self._slots)
        return [worker for worker in found if worker is not None and not worker.ended.is_set()]

    async def start(self) -> None:
        """Returns when all are ready; none accepts yet. Raises ConfigError with one's reason."""
        made = await asyncio.gather(*(self._started(slot.number) for slot in self._slots))
        for slot, (worker, trouble) in zip(self._slots, made, strict=True):
            if trouble:
                raise ConfigError(f"Worker {slot.number} cannot serve: {trouble}")
            slot.worker = worker

    async def run(self, stop: Stop) -> None:
        """Serve until `stop`, then drain all; at a second one end them at once.

        Raises ConfigError when no worker can be started any more.
        """
        await self._spread()
        for slot in self._slots:
            spawn(self._tasks, self._keep(slot), name=f"worker-{slot.number}")
        spawn(self._tasks, self._watch(), name="workers-watch")
        self._runs = True
        if self._again:
            self.roll()
        stopping = spawn(self._tasks, stop.wait(), name="workers-stop")
        await asyncio.wait({stopping, self._failed}, return_when=asyncio.FIRST_COMPLETED)
        if self._failed.done():
            raise ConfigError(self._failed.result())
        await self._end(stop)

    def roll(self) -> None:
        """Replace every worker, one at a time; asked for meanwhile, once more after that.

        While the first ones start there is nobody to replace: that waits until they serve.
        """
        if not self._runs or (self._rolling is not None and not self._rolling.done()):
            self._again = True
            return
        self._rolling = spawn(self._tasks, self._replace_all(), name="workers-roll")

    async def aclose(self) -> None:
        """Kill whoever is left."""
        await cancel_all(self._tasks)
        for worker in self._alive:
            worker.signal(signal.SIGKILL)
        for worker in list(self._alive):
            await worker.ended.wait()
            self._forget(worker)

    # Starting

    async def _started(self, number: int) -> tuple[WorkerProcess, str]:
        """A new worker, and "" or why it does not serve; then it has ended."""
        worker = WorkerProcess(msgspec.structs.replace(self._first, number=number))
        self._alive.add(worker)
        trouble = await worker.serves(within_s=_START_S)
        if trouble:
            self._forget(worker)
        return worker, trouble

    def _forget(self, worker: WorkerProcess) -> None:
        self._alive.discard(worker)
        self._accepting.pop(worker, None)
        (self._folder / worker.control).unlink(missing_ok=True)  # left there by a SIGKILL

    # Keeping

    async def _keep(self, slot: _Slot) -> None:
        while True:
            worker = slot.worker
            assert worker is not None
            await worker.ended.wait()
            async with slot.turn:
                if slot.worker is not worker:
                    continue  # it was replaced
                self.deaths[slot.number] += 1
                _log.error("worker_died", worker=slot.number, status=worker.status)
                self._forget(worker)
                await self._spread()
                slot.worker = await self._restarted(slot.number)
                await self._spread()

    async def _restarted(self, number: int) -> WorkerProcess:
        pause_s = _FIRST_PAUSE_S
        tries = 0
        while True:
            await asyncio.sleep(pause_s)
            worker, trouble = await self._started(number)
            if not trouble:
                return worker
            tries += 1
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            _log.error("worker_not_started", worker=number, why=trouble, again_in_s=pause_s)
            if tries >= _TRIES and not self.serving and not self._failed.done():
                self._failed.set_result(f"No worker can serve any more: {trouble}")

    async def _watch(self) -> None:
        """Kill whoever answers nothing for long: their clients are better off elsewhere."""
        while True:
            await asyncio.sleep(_WATCH_S)
            await asyncio.gather(*(self._probe(worker) for worker in self.serving))
            await self._spread()  # who did not hear of it is told again

    async def _probe(self, worker: WorkerProcess) -> None:
        try:
            await control.ask(self._folder, {"op": "ping"}, name=worker.control, timeout_s=_HUNG_S)
        except TimeoutError:
            _log.error("worker_hung", worker=worker.number, pid=worker.pid, silent_s=_HUNG_S)
            worker.signal(signal.SIGKILL)

    # Who accepts on what

    def _plan(self) -> dict[WorkerProcess, list[int]]:
        serving, count = self.serving, len(self._first.listeners)
        everything = list(range(count))
        favoured = self._favoured
        if favoured in serving:
            return {worker: everything if worker is favoured else [] for worker in serving}
        own = {worker: worker.number % count for worker in serving}
        orphans = [number for number in everything if number not in own.values()]
        return {worker: [number, *orphans] for worker, number in own.items()}

    async def _spread(self) -> None:
        """Tell each worker that does not do so yet; first those who accept more than before."""
        async with self._telling:
            plan = self._plan()
            new = [worker for worker in plan if plan[worker] != self._accepting.get(worker)]
            new.sort(key=lambda worker: -len(plan[worker]))
            for worker in new:
                if await self._told(worker, {"op": "accept", "listeners": plan[worker]}):
                    self._accepting[worker] = plan[worker]

    async def _told(self, worker: WorkerProcess, request: dict[str, Any]) -> bool:
        name = worker.control
        try:
            told = await control.ask(self._folder, request, name=name, timeout_s=_ASK_S)
        except (TimeoutError, BatonboxError) as error:
            _log.warning("worker_not_told", worker=worker.number, op=request["op"], why=str(error))
            return False
        return told is not None  # else it is ending, which is seen

    # Replacing

    async def _replace_all(self) -> None:
        self._again = True
        while self._again:
            self._again = False
            _log.info("rolling_restart", workers=len(self._slots))
            for slot in self._slots:
                if not await self._replace(slot):
                    return
            _log.info("rolling_restart_done")

    async def _replace(self, slot: _Slot) -> bool:
        async with slot.turn:
            worker, trouble = await self._started(slot.number)
            if trouble:
                _log.error("rolling_restart_stopped", worker=slot.number, why=trouble)
                return False
            old, slot.worker = slot.worker, worker
        self._favoured = worker
        try:
            await self._spread()
            if old is not None:
                await self._retire(old)
                await asyncio.sleep(_LATE_S)
        finally:
            self._favoured = None
            await self._spread()
        _log.info("worker_replaced", worker=slot.number, pid=worker.pid)
        return True

    async def _retire(self, worker: WorkerProcess) -> None:
        if not await self._told(worker, {"op": "retire"}):
            worker.signal(signal.SIGTERM)
        if not await worker.wait(within_s=self._drain_s + _MARGIN_S):
            _log.warning("worker_killed", worker=worker.number, pid=worker.pid)
            worker.signal(signal.SIGKILL)
            await worker.ended.wait()
        self._forget(worker)

    # Ending

    async def _end(self, stop: Stop) -> None:
        await cancel_all(self._tasks)
        self._favoured = None
        spawn(self._tasks, self._pass_on(stop), name="workers-stop")
        ending = [spawn(self._tasks, self._ended(w), name="worker-end") for w in self._alive]
        if ending:
            await asyncio.wait(ending, timeout=self._drain_s + _MARGIN_S)

    async def _ended(self, worker: WorkerProcess) -> None:
        """Those who are still there answer for its listener: that they are going down."""
        await worker.ended.wait()
        self._forget(worker)
        await self._spread()

    async def _pass_on(self, stop: Stop) -> None:
        while True:
            stop.clear()
            for worker in self._alive:
                worker.signal(signal.SIGINT if stop.interrupted else signal.SIGTERM)
            await stop.wait()

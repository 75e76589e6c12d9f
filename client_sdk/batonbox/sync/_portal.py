"""A loop in a thread of its own, and the way into it for threads that block."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from batonbox._errors import ConnectionLost
from batonbox._tasks import cancel_all
from batonbox.sync._job import Job

__all__ = ["Portal"]

T = TypeVar("T")
# An end that hangs must not hang whoever ends: the thread is a daemon.
JOIN_S = 10.0
CLOSED = "the client was closed"


class Portal:
    """Owns the loop from `start` to `stop`; any thread may use it in between.

    `at_exit` is called where the interpreter ends and nobody has called `stop`.
    """

    def __init__(self, at_exit: Callable[[], None]) -> None:
        self._at_exit = weakref.WeakMethod(at_exit)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self._pid = os.getpid()

    @property
    def running(self) -> bool:
        """Whether there is a loop to work in, in this process."""
        return self._loop is not None and self._pid == os.getpid()

    @property
    def ended(self) -> bool:
        """Whether there was a loop, and is none any more."""
        return self._thread is not None and self._loop is None

    def start(self) -> None:
        """Begin; returns once the loop runs."""
        self._check_process()
        started = threading.Lock()
        started.acquire()
        self._thread = threading.Thread(
            target=self._serve, args=(started,), name="batonbox-sync", daemon=True
        )
        self._thread.start()
        started.acquire()
        _open.add(self)

    def stop(self) -> None:
        """Cancel what still runs in the loop and end it; nothing to do where it has ended."""
        _open.discard(self)
        loop, thread, stopping = self._loop, self._thread, self._stopping
        if loop is None or thread is None or stopping is None or not self.running:
            return
        self._loop = None
        loop.call_soon_threadsafe(stopping.set)
        if thread is not threading.current_thread():
            thread.join(JOIN_S)

    def ends(self) -> None:
        """The interpreter does: end as gracefully as its owner can."""
        at_exit = self._at_exit()
        if self.running and at_exit is not None:
            at_exit()

    def hand(self, job: Job[Any]) -> None:
        """Let the loop begin it; raises ConnectionLost where there is no loop any more."""
        if job.handed:
            return
        self._check_process()
        self._check_thread()
        self._soon(job.begin)
        job.handed = True

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it to its end and give what it gives; Ctrl-C meanwhile cancels it."""
        job = Job(lambda: work)
        try:
            self.hand(job)
            self.wait(job, None)
            return job.result()
        except asyncio.CancelledError:
            raise ConnectionLost(CLOSED) from None
        except BaseException:
            self._give_up(job, work)
            raise

    def wait(self, job: Job[Any], timeout_s: float | None) -> bool:
        """Whether it has ended, in this time, or the loop has."""
        return job.wait(timeout_s, over=lambda: self.ended)

    def _give_up(self, job: Job[Any], work: Coroutine[Any, Any, Any]) -> None:
        def end() -> None:
            job.cancel()
            if not job.begun:
                work.close()

        if job.done:
            return
        try:
            if self.running:
                self._soon(end)
                return
        except ConnectionLost:
            pass
        if not job.begun:  # nor will it be: there is no loop
            work.close()

    def _soon(self, act: Callable[[], None]) -> None:
        try:
            self._running_loop().call_soon_threadsafe(act)
        except RuntimeError as error:
            if "closed" in str(error):
                raise ConnectionLost(CLOSED) from None
            raise

    def call(self, ask: Callable[[], T]) -> T:
        """Call something that does not wait, where nothing else touches what it touches."""
        if not self.running or threading.current_thread() is self._thread:
            return ask()

        async def asked() -> T:
            return ask()

        return self.run(asked())

    def _serve(self, started: threading.Lock) -> None:
        loop = asyncio.new_event_loop()
        # Its threads are not waited for: whoever uploads while we end has been cancelled.
        loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="batonbox-sync"))
        try:
            loop.run_until_complete(self._until_stopped(started))
        finally:
            self._loop = None
            loop.close()

    async def _until_stopped(self, started: threading.Lock) -> None:
        self._stopping = asyncio.Event()
        self._loop = loop = asyncio.get_running_loop()
        started.release()
        await self._stopping.wait()
        await cancel_all(asyncio.all_tasks())
        await loop.shutdown_asyncgens()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise ConnectionLost(CLOSED if self.ended else "open the client first: `with client:`")
        return self._loop

    def _check_process(self) -> None:
        if self._pid != os.getpid():
            raise RuntimeError(
                f"this client belongs to process {self._pid}, from which this one was forked:"
                " make a client of its own in each process"
            )

    def _check_thread(self) -> None:
        if self._thread is not None and threading.current_thread() is self._thread:
            raise RuntimeError(
                "a blocking call from the client's own thread (a token provider?) would wait for"
                " itself for ever"
            )


_open: weakref.WeakSet[Portal] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    for portal in list(_open):
        portal.ends()

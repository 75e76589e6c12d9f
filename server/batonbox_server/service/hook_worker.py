"""Every node's share of telling webhooks; it rests while there are none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

import structlog

from batonbox_server.carriers.hook_port import Poster
from batonbox_server.errors import BatonboxError
from batonbox_server.store.hook_port import Hook, HookStore
from batonbox_server.tasks import cancel_all, spawn

from .directory import LiveDirectory
from .hook_lines import Pace
from .hook_turn import Render, Turn, Work

__all__ = ["HookWorker"]

_log = structlog.get_logger(__name__)
_TURNS: Final = 16
_POSTS: Final = 32
_ERROR_PAUSE_S: Final = 1.0
_REST_S: Final = 3600.0
_NEVER: Final = float("-inf")
Stream: TypeAlias = tuple[str, str]


class HookWorker:
    """Takes turns for (webhook, inbox): where something was written, is due, or at each sweep.

    `on_event` and `on_reset` are fed by the feed of the organisation's log.
    """

    def __init__(
        self,
        store: HookStore,
        directory: LiveDirectory,
        poster: Poster,
        render: Render,
        *,
        pace: Pace,
        timeout_s: float,
        sweep_s: float,
    ) -> None:
        self._store = store
        self._directory = directory
        self._sweep_s = sweep_s
        self._hooks: Mapping[str, Hook] = {}
        self._stale = True
        self._swept_s = _NEVER
        self._poked: dict[Stream, None] = {}
        self._due: dict[Stream, float] = {}
        self._turning: dict[Stream, asyncio.Task[Any]] = {}
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._turns: set[asyncio.Task[Any]] = set()
        self._work = Work(
            store=store,
            poster=poster,
            render=render,
            pace=pace,
            timeout_s=timeout_s,
            posting=asyncio.Semaphore(_POSTS),
            present=self._present,
            switch_off=self._switch_off,
        )

    def start(self) -> None:
        """Begin."""
        spawn(self._tasks, self._run(), name="webhooks")

    async def aclose(self, *, grace_s: float = 5.0) -> None:
        """Begin no turns; give those under way `grace_s` to end."""
        await cancel_all(self._tasks)
        if self._turns:
            await asyncio.wait(self._turns, timeout=grace_s)
        await cancel_all(self._turns)

    def on_event(self, _seq: int, meta: dict[str, Any], _body: Any) -> None:
        """An event of the organisation's log."""
        if meta["type"].startswith("hook_"):
            self.on_reset()

    def on_reset(self) -> None:
        """Read the webhooks again."""
        self._stale = True
        self._wake.set()

    def know(self, hook: Hook) -> None:
        """A change made by this node: it counts here at once, not only when the log tells of it."""
        self._hooks = {**self._hooks, hook.id: hook}
        self.on_reset()  # what is being read just now may be older

    def poke(self, inbox: str) -> None:
        """Something was written here: look now, not at the next sweep."""
        for hook in self._hooks.values():
            if _tells(hook, inbox):
                self._poked[hook.id, inbox] = None
                self._wake.set()

    async def finish(self, hook: Hook) -> None:
        """What a change of a webhook left to do; any node may, and more than once.

        Raises Refused("unavailable").
        """
        if hook.deleted:
            for inbox in list(self._directory.destinations):
                await self._store.drop(inbox=inbox, hook=hook.id)
            await self._store.erase(hook.id)
        elif hook.starting:
            for inbox, run in hook.starting.items():
                await self._store.begin(inbox=inbox, hook=hook.id, run=run)
            if await self._store.confirm(hook.id, inboxes=hook.starting):
                await self._store.started(hook.id, hook.starting)

    async def _run(self) -> None:
        while True:
            try:
                if self._stale:
                    self._stale = False
                    found = await self._store.hooks()
                    if self._stale:
                        continue
                    self._hooks = found
                    self._swept_s = _NEVER
                await self._sweep()
                self._begin_turns()
                await self._rest()
                continue
            except BatonboxError as error:
                _log.warning("webhooks_failed", error=str(error))
            except Exception:  # whatever it was, the other webhooks still have to be told
                _log.exception("webhooks_failed")
            self._stale = True
            await asyncio.sleep(_ERROR_PAUSE_S)

    async def _sweep(self) -> None:
        now_s = time.monotonic()
        for stream in [stream for stream, due_s in self._due.items() if due_s <= now_s]:
            del self._due[stream]
            self._poked[stream] = None
        if not self._hooks or now_s - self._swept_s < self._sweep_s:
            return
        settled = self._swept_s > _NEVER  # its own node finishes a change first
        self._swept_s = now_s
        for hook in list(self._hooks.values()):
            if settled and (hook.deleted or hook.starting):
                await self.finish(hook)
            for inbox in self._directory.inboxes:
                if _tells(hook, inbox):
                    self._poked[hook.id, inbox] = None

    def _begin_turns(self) -> None:
        for stream in list(self._poked):
            if len(self._turning) >= _TURNS:
                return
            if stream in self._turning:
                continue  # looked at again when that turn ends
            del self._poked[stream]
            hook, inbox = self._present(stream[0]), stream[1]
            if hook is not None and _tells(hook, inbox) and inbox in self._directory.inboxes:
                name = f"webhook {hook.id} {inbox}"
                self._turning[stream] = spawn(self._turns, self._turn(hook, inbox), name=name)

    async def _turn(self, hook: Hook, inbox: str) -> None:
        stream, wait_ms = (hook.id, inbox), int(1000 * _ERROR_PAUSE_S)
        try:
            wait_ms = await Turn(self._work, hook, inbox).run()
        except* BatonboxError as errors:
            # The lease ends by itself, and then all of the turn is told again.
            _log.warning("webhook_turn_failed", inbox=inbox, error=str(errors.exceptions[0]))
        finally:
            self._turning.pop(stream, None)
            if wait_ms == 0:
                self._poked[stream] = None
            elif wait_ms > 0:
                self._due[stream] = time.monotonic() + wait_ms / 1000
            self._wake.set()

    async def _rest(self) -> None:
        until_s = self._swept_s + self._sweep_s if self._hooks else time.monotonic() + _REST_S
        until_s = min([until_s, *self._due.values()])
        try:
            async with asyncio.timeout(max(0.005, until_s - time.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def _present(self, hook: str) -> Hook | None:
        found = self._hooks.get(hook)
        return found if found is not None and found.active and not found.deleted else None

    async def _switch_off(self, hook: str) -> None:
        self._hooks = {name: found for name, found in self._hooks.items() if name != hook}
        try:
            await self._store.update(hook, lambda found: replace(found, active=False))
        finally:
            self.on_reset()


def _tells(hook: Hook, inbox: str) -> bool:
    return hook.active and not hook.deleted and hook.covers(inbox) and inbox not in hook.starting

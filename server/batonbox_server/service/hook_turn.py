"""One turn of one webhook in one inbox: take what is due, tell it, give the place back."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from batonbox_server.carriers.hook_port import Answer, Poster
from batonbox_server.store.hook_port import Delivered, Hook, HookStore, Place
from batonbox_server.store.port import LogEntry

from .hook_lines import Event, Line, Lines, Pace

__all__ = ["GONE", "Lost", "Render", "Turn", "Work", "delivered_of"]

_log = structlog.get_logger(__name__)
GONE: Final = 410
_ENTRIES: Final = 64
_FRESH: Final = 16
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Lost:
    """Why a webhook does not continue where it stood; see `store.hook_port.Place`."""

    reason: str
    missed: int
    epoch: str
    seq: int
    at_ms: int


class Render(Protocol):
    """How events look to a receiver."""

    def entry(self, hook: Hook, inbox: str, epoch: str, entry: LogEntry) -> list[Event]:
        """The events of a log's entry that the webhook wants."""

    def lost(self, hook: Hook, inbox: str, lost: Lost) -> Event:
        """That events were missed."""

    def test(self, hook: Hook, at_ms: int) -> Event:
        """Something to try a webhook out with."""


@dataclass(frozen=True, slots=True)
class Work:
    """What turns work with; `present(hook)` is the record as it is now, None when it is off."""

    store: HookStore
    poster: Poster
    render: Render
    pace: Pace
    timeout_s: float
    posting: asyncio.Semaphore
    present: Callable[[str], Hook | None]
    switch_off: Callable[[str], Awaitable[None]]

    @property
    def lease_s(self) -> float:
        """A turn begins its last attempt at half of this, and ends before its end."""
        return 3 * self.timeout_s


class Turn:
    """`await turn.run()` returns in how many ms there may be more to do: 0 at once, -1 unknown.

    While the lease lasts nobody else tells the same. If the turn dies, nothing was given back: all
    of it is told again by whoever takes the place next, under the same ids.
    """

    def __init__(self, work: Work, hook: Hook, inbox: str) -> None:
        self._work = work
        self._hook = hook
        self._inbox = inbox
        self._begun_s = time.monotonic()
        self._now_ms = 0
        self._recovered = False
        self._tried: list[Line] = []

    async def run(self) -> int:
        """See the class; raises Refused("unavailable")."""
        work, holder = self._work, uuid.uuid4().hex
        place = await work.store.take(
            inbox=self._inbox,
            hook=self._hook.id,
            holder=holder,
            lease_ms=int(work.lease_s * 1000),
            n=_ENTRIES,
        )
        if isinstance(place, int):
            return place
        if place.new and not await work.store.confirm(self._hook.id, inboxes=[self._inbox]):
            return -1
        # What counts is the record as it is now, not as it was when this turn fell due.
        self._hook = work.present(self._hook.id) or self._hook
        self._now_ms = place.now_ms
        lines = Lines.decode(place.held)
        if place.hurry:
            lines.hurry(place.now_ms)
        seq = self._fill(place, lines)
        await self._tell(lines)
        behind = await work.store.advance(
            inbox=self._inbox,
            hook=self._hook.id,
            holder=holder,
            epoch=place.epoch,
            seq=seq,
            due_ms=lines.next_ms,
            full=lines.full,
            held=lines.encode(),
        )
        if behind is None:  # somebody else's, or dropped while this turn still wrote deliveries
            await work.store.confirm(self._hook.id)
        if behind:
            return 0
        return max(0, lines.next_ms - self._engine_ms()) if lines.lines else -1

    def _fill(self, place: Place, lines: Lines) -> int:
        """Put events of the log into their lines; how far that went."""
        if place.lost:
            lost = Lost(place.lost, place.missed, place.epoch, place.seq, place.now_ms)
            lines.add(self._work.render.lost(self._hook, self._inbox, lost), now_ms=place.now_ms)
        seq, fresh = place.seq, 0
        for entry in place.entries:
            if (lines.full and not fresh) or fresh >= _FRESH:
                break
            for event in self._events(place.epoch, entry):
                lines.add(event, now_ms=place.now_ms)
                fresh += 1
            seq = entry.seq
        return seq

    def _events(self, epoch: str, entry: LogEntry) -> list[Event]:
        try:
            return self._work.render.entry(self._hook, self._inbox, epoch, entry)
        except Exception:  # one entry nobody can read must not end all that follow
            _log.exception("webhook_entry_unreadable", inbox=self._inbox, seq=entry.seq)
            lost = Lost("unreadable", 1, epoch, entry.seq, entry.at_ms)
            return [self._work.render.lost(self._hook, self._inbox, lost)]

    async def _tell(self, lines: Lines) -> None:
        room = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for line in lines.due(self._now_ms):
                self._tried.append(line)
                group.create_task(self._tell_line(line, room))
        if self._recovered:  # the receiver is back: the others need not wait for their time
            for line in lines.lines.values():
                if line not in self._tried:
                    line.due_ms = self._engine_ms()
        lines.sweep()

    async def _tell_line(self, line: Line, room: asyncio.Semaphore) -> None:
        while line.events:
            async with room, self._work.posting:
                present = self._work.present(self._hook.id)
                left_s = self._begun_s + 0.9 * self._work.lease_s - time.monotonic()
                half_s = self._begun_s + 0.5 * self._work.lease_s - time.monotonic()
                if present is None or half_s <= 0:
                    line.due_ms = self._engine_ms()
                    return
                if not await self._attempt(present, line, min(left_s, self._work.timeout_s)):
                    return

    async def _attempt(self, hook: Hook, line: Line, timeout_s: float) -> bool:
        """Whether the next of the line may follow."""
        event, work = line.events[0], self._work
        answer = await work.poster.post(
            hook.url,
            secrets=hook.secrets(self._engine_ms()),
            message_id=event.id,
            body=event.body,
            timeout_s=timeout_s,
        )
        event.attempts += 1
        last = event.attempts >= work.pace.attempts or answer.status == GONE
        state = "delivered" if answer.ok else "failed" if last else "retrying"
        record = delivered_of(event, answer, state=state, inbox=self._inbox)
        await work.store.record(
            hook.id, record, body=event.body, now_ms=self._engine_ms(), counts=True
        )
        if answer.status == GONE:
            await work.switch_off(hook.id)
        if answer.ok or last:
            self._recovered |= answer.ok and event.attempts > 1
            del line.events[0]
            return True
        pause_ms = work.pace.pause_ms(
            event.attempts,
            random.random(),  # noqa: S311
            asked_s=answer.retry_after_s,
        )
        line.due_ms = self._engine_ms() + pause_ms
        return False

    def _engine_ms(self) -> int:
        return self._now_ms + int(1000 * (time.monotonic() - self._begun_s))


def delivered_of(event: Event, answer: Answer, *, state: str, inbox: str = "") -> Delivered:
    """What the log keeps of an attempt."""
    return Delivered(
        id=event.id,
        event=event.name,
        at_ms=event.at_ms,
        attempts=event.attempts,
        state=state,
        status=answer.status,
        duration_ms=answer.duration_ms,
        error=answer.error or event.note,
        inbox=inbox,
        conv=event.conv,
    )

"""Webhooks out: their records, their places in the inboxes' logs, and the log of deliveries.

A place (cursor) lives in the inbox's own slot and is leased to one node at a time; a webhook's
deliveries live in a slot of its own, since they span inboxes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from batonbox_server.store.port import LogEntry

__all__ = ["Delivered", "Hook", "HookStore", "HookUpdate", "Log", "Place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An address to which signed events go; no `events` or no `inboxes`: all of them.

    `starting` names inboxes in whose logs the webhook is still to be put to the present end, each
    with a word that is fresh per start. `old_secret` signs along until `old_until_ms`. A `deleted`
    one is only there until its places in the logs are gone.
    """

    id: str
    url: str
    secret: str
    created_ms: int
    label: str = ""
    events: tuple[str, ...] = ()
    inboxes: tuple[str, ...] = ()
    active: bool = True
    old_secret: str = ""
    old_until_ms: int = 0
    starting: Mapping[str, str] = field(default_factory=dict)
    deleted: bool = False

    def covers(self, inbox: str) -> bool:
        """Whether events of this inbox are wanted."""
        return not self.inboxes or inbox in self.inboxes

    def wants(self, event: str) -> bool:
        """Whether events of this name are wanted."""
        return not self.events or event in self.events

    def secrets(self, now_ms: int) -> tuple[str, ...]:
        """What signs at this time, the newest first."""
        old = (self.old_secret,) if self.old_secret and now_ms < self.old_until_ms else ()
        return (self.secret, *old)


@dataclass(frozen=True, slots=True)
class Place:
    """A leased place: entries behind `seq`, and `held`, the events that are to be tried again.

    `lost`: "" or why it is not where the webhook stood: `trimmed` (`missed` entries are gone),
    `epoch` (the log is another one), `fork` (its end was rewritten).  `now_ms` is the engine's.
    `hurry`: somebody wants what is held to be tried now.  `new`: there was no place before.
    """

    epoch: str
    seq: int
    now_ms: int
    lost: str
    missed: int
    entries: list[LogEntry]
    held: bytes
    hurry: bool
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What became of one event for one webhook; `state` is delivered, failed or retrying.

    `status` 0: no answer. Times are epoch ms.
    """

    id: str
    event: str
    at_ms: int
    attempts: int
    state: str
    status: int = 0
    duration_ms: int = -1
    error: str = ""
    inbox: str = ""
    conv: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """Deliveries, the newest first; since when none arrives, and when the last did (0: never)."""

    failing_ms: int
    last_ms: int
    items: list[Delivered]


HookUpdate = Callable[[Hook], Hook]


class HookStore(Protocol):
    """Changes of records append to the organisation's log, as events without any secret.

    HOOK_CHANGED, HOOK_SECRET_REPLACED, HOOK_DELETED; and for their steps HOOK_STARTED (every start
    is made) and HOOK_ENDING (deleted, but for its places in the logs).
    """

    async def hooks(self) -> dict[str, Hook]:
        """Every record, the deleted ones too."""

    async def create(self, hook: Hook) -> Hook:
        """With `starting` filled in; Refused("conflict") when there are too many."""

    async def update(self, hook: str, change: HookUpdate) -> Hook:
        """Change a record; what it newly covers, or all of it when switched on, is `starting`.

        Refused("not_found").
        """

    async def started(self, hook: str, done: Mapping[str, str]) -> None:
        """These starts are made."""

    async def erase(self, hook: str) -> None:
        """The record and its deliveries go."""

    async def confirm(self, hook: str, *, inboxes: Iterable[str] = ()) -> bool:
        """Whether the webhook is still there; asked by who wrote something of it.

        A deletion marks the record before it clears up, so that who finds no mark was in time.  Who
        was late has here erased what it wrote: deliveries, and places in these inboxes.
        """

    async def begin(self, *, inbox: str, hook: str, run: str) -> None:
        """Stand at the present end of the inbox's log; once per `run`."""

    async def take(
        self, *, inbox: str, hook: str, holder: str, lease_ms: int, n: int
    ) -> Place | int:
        """Lease the place, with up to n entries; else in how many ms there may be work (-1: none).

        A webhook that has no place yet begins with the log's first entry.
        """

    async def advance(
        self,
        *,
        inbox: str,
        hook: str,
        holder: str,
        epoch: str,
        seq: int,
        due_ms: int,
        full: bool,
        held: bytes,
    ) -> int | None:
        """Give the lease back; how many entries wait, None when the lease was somebody else's."""

    async def hurry(self, *, inbox: str, hook: str) -> bool:
        """Whatever is held is due now; whether anything is."""

    async def drop(self, *, inbox: str, hook: str) -> None:
        """Forget the place."""

    async def record(
        self, hook: str, delivery: Delivered, *, body: bytes, now_ms: int, counts: bool
    ) -> None:
        """Write a delivery down, over an earlier state of it; `counts`: it tells how it goes."""

    async def deliveries(self, hook: str, *, n: int) -> Log:
        """The newest n."""

    async def delivery(self, hook: str, delivery: str) -> tuple[Delivered, bytes] | None:
        """One, with its body."""

"""Users, inboxes, memberships and tokens: wanted in the directory, then applied to the inboxes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

import structlog

from batonbox_server.domain.model import Availability, Destination, Role
from batonbox_server.errors import BatonboxError, Refused
from batonbox_server.store.directory_port import DirectoryStore, Inbox, Job, OrgState, User
from batonbox_server.store.live_port import Mark
from batonbox_server.store.port import InboxInfo, InboxStore
from batonbox_server.store.rooms_port import RoomStore
from batonbox_server.store.wanted import numbers_of, standings

from .directory import LiveDirectory
from .opt_outs import OptOuts

__all__ = ["Administration"]

_log = structlog.get_logger(__name__)
_KEPT: Final = "was somebody's whose messages are kept."
_FAILED_MOST: Final = 1000


class Administration:
    """Every change returns once this node knows it and its inboxes obey it.

    A node that dies half-way leaves jobs, which any node finishes (`run_due_jobs`). `handlers` do
    jobs of other kinds than `sync`; `marks` tells since when users are without a connection.
    """

    def __init__(
        self,
        store: InboxStore,
        organisation: DirectoryStore,
        directory: LiveDirectory,
        marks: Callable[[list[str]], Awaitable[Mapping[str, Mark]]],
        opt_outs: OptOuts,
        rooms: RoomStore,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._opt_outs = opt_outs
        self._organisation = organisation
        self._directory = directory
        self._marks = marks
        self.handlers: dict[str, Callable[[Job], Awaitable[None]]] = {
            "room": rooms.run_job,
            "leave_rooms": self._leave_rooms,
        }
        # One for each inbox that is being worked through; it goes with the last who holds it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._failed: dict[str, Job] = {}  # that this node has leased yet, and tries again

    async def set_name(self, name: str) -> None:
        """What the organisation is called."""
        await self._apply(await self._organisation.set_name(name))

    async def set_up(self, name: str, admin: User, *, password: str) -> None:
        """Name an empty organisation and make its first admin; Refused("conflict") once it is not.

        `password` is a hash.
        """
        await self._apply(await self._organisation.set_up(name, admin, password=password))

    async def create_user(self, user: User) -> None:
        """A new user; Refused("conflict") when the id is taken."""
        if await self.is_kept(user.id):
            here = user.id in self._directory.users
            told = "is a user already; choose another id." if here else _KEPT
            raise Refused("conflict", f"{user.id!r} {told}")
        await self._apply(await self._organisation.create_user(user))

    async def edit_user(self, user: str, *, name: str | None, role: Role | None) -> None:
        """Change name or role; Refused: `not_found`, `conflict` for the last active admin."""
        await self._apply(await self._organisation.edit_user(user, name=name, role=role))

    async def set_away(self, user: str, mode: Availability) -> None:
        """Somebody is away, or back; every inbox they joined obeys.

        Refused: `not_found`, `unavailable` while one does not, which it will.
        """
        if not await self._apply(await self._organisation.set_away(user, mode)):
            raise Refused("unavailable", "Not every inbox knows yet: send it again.")

    async def delete_user(self, user: str) -> None:
        """Delete a user: tokens first, then inbox by inbox; Refused as `edit_user`."""
        await self._apply(await self._organisation.delete_user(user))

    async def deactivate_user(self, user: str) -> None:
        """End all access at once, then the memberships inbox by inbox; Refused as `edit_user`."""
        await self._apply(await self._organisation.deactivate_user(user))

    async def reactivate_user(self, user: str, *, inboxes: tuple[str, ...]) -> None:
        """Let them in again, into these inboxes and no channel; Refused("not_found")."""
        found = self._directory.users.get(user)
        if found is not None and not found.active:
            # What the job may not have done yet; once they are active it does nothing.
            await self._rooms.leave_all(user=user)
        await self._apply(await self._organisation.reactivate_user(user, inboxes=inboxes))

    async def is_kept(self, user: str) -> bool:
        """Whether this id has rooms, which whoever else got it would read.

        Whose it is now is not asked: this node may not know yet that they were deleted.
        """
        return bool(await self._rooms.index_of(user=user))

    async def accept_invite(self, sha256: str, *, password: str) -> User:
        """Make the user of an invitation; Refused as `DirectoryStore.accept_invite`."""
        user, jobs = await self._organisation.accept_invite(sha256, password=password)
        await self._apply(jobs)
        return user

    async def create_inbox(self, inbox: Inbox) -> None:
        """A new inbox; Refused("conflict") when the id, the extension or a number is taken."""
        await self._apply(await self._organisation.create_inbox(inbox))

    async def edit_inbox(
        self,
        inbox: str,
        *,
        name: str | None = None,
        kind: Destination | None = None,
        extension: str | None = None,
        members: tuple[str, ...] | None = None,
        numbers: tuple[str, ...] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Change what is not None, and of the options those named.

        Refused: `not_found`, `conflict` of the extension.
        """
        await self._apply(
            await self._organisation.edit_inbox(
                inbox,
                name=name,
                kind=kind,
                extension=extension,
                members=members,
                numbers=numbers,
                options=options,
            )
        )

    async def delete_inbox(self, inbox: str) -> None:
        """Everybody's access ends, then everything is erased; Refused("not_found")."""
        if await self._store.is_held(inbox=inbox):
            raise Refused("conflict", "Something in this inbox is held; end the hold first.")
        await self._apply(await self._organisation.delete_inbox(inbox))

    async def set_member(self, *, inbox: str, user: str, on: bool) -> None:
        """Put a user into an inbox, or take them out; Refused("not_found")."""
        await self._apply(await self._organisation.set_member(inbox=inbox, user=user, on=on))

    async def put_number(
        self, number: str, *, inbox: str = "", carrier: str = "", messaging: bool = True
    ) -> None:
        """A number, and where it is assigned; Refused("not_found") of the inbox."""
        await self._apply(
            await self._organisation.put_number(
                number, inbox=inbox, carrier=carrier, messaging=messaging
            )
        )

    async def edit_number(
        self,
        number: str,
        *,
        inbox: str | None = None,
        carrier: str | None = None,
        messaging: bool | None = None,
    ) -> None:
        """Change what is not None, inbox "" un-assigns; Refused("not_found")."""
        await self._apply(
            await self._organisation.edit_number(
                number, inbox=inbox, carrier=carrier, messaging=messaging
            )
        )

    async def delete_number(self, number: str) -> None:
        """The number is ours no more; Refused("not_found")."""
        await self._apply(await self._organisation.delete_number(number))

    async def run_due_jobs(self) -> int:
        """Finish what failed here, then what a node that died left; returns how many of those.

        An inbox whose engine was away obeys as soon as it is back, and not when the lease ends.
        """
        failed, self._failed = self._failed, {}
        for job in failed.values():
            await self.run_job(job)
        jobs = await self._organisation.lease_jobs()
        for job in jobs:
            await self.run_job(job)
        return len(jobs)

    async def run_job(self, job: Job) -> bool:
        """Do it; False: it failed, stays, and is leased again."""
        try:
            await self.handlers.get(job.kind, self._do)(job)
        except BatonboxError as error:
            # The change itself stands.
            _log.warning("organisation_job_failed", inbox=job.inbox, error=str(error))
            if len(self._failed) < _FAILED_MOST:
                self._failed[job.id] = job
            return False
        await self._organisation.finish_job(job.id)
        return True

    async def _apply(self, jobs: list[Job]) -> bool:
        # Access ends on this node before the inboxes are worked through.
        await self._directory.refresh()
        return all([await self.run_job(job) for job in jobs])

    async def _do(self, job: Job) -> None:
        lock = self._locks.setdefault(job.inbox, asyncio.Lock())
        async with lock:
            away = frozenset(job.data.get("away", ()))
            for user in job.data.get("gone", ()):
                await self._remove(job.inbox, user, at=job.data.get("at"))
            await self._sync(job.inbox, away=away)
        if job.data.get("take"):
            await self._apply(await self._organisation.take_numbers(job.data["take"]))

    async def _leave_rooms(self, job: Job) -> None:
        user = str(job.data["user"])
        found = (await self._organisation.state()).users.get(user)
        if found is None or not found.active:
            await self._rooms.leave_all(user=user)

    async def _sync(self, inbox: str, *, away: frozenset[str]) -> None:
        state = await self._organisation.state()
        at = 0
        while True:
            later = await self._make(inbox, state, away, at=max(at, state.seq))
            # Another node may have wanted something else meanwhile: the last look decides.
            made, state = _wanted(inbox, state), await self._organisation.state()
            if not later and _wanted(inbox, state) == made:
                return
            # Later than the last look: an engine that lost the end of the organisation's log.
            at = later

    async def _make(self, inbox: str, state: OrgState, away: frozenset[str], *, at: int) -> int:
        wanted = state.inboxes.get(inbox)
        if wanted is None:
            while not await self._store.delete_inbox(inbox=inbox):
                pass
            return 0
        numbers = numbers_of(inbox, state)
        if wanted.live or numbers:
            await self._store.create_inbox(inbox=inbox)
        info = await self._store.inbox_info(inbox=inbox)
        if info is None:
            return 0
        members = await self._make_members(wanted, info, state, at=at)
        modes = await self._make_modes(wanted, info, state, away, at=at)
        options = await self._store.set_options(inbox=inbox, options=wanted.options, at=at)
        numbers_at = await self._make_numbers(inbox, numbers, info, at=at)
        return max(members, modes, options, numbers_at)

    async def _make_members(
        self, wanted: Inbox, info: InboxInfo, state: OrgState, *, at: int
    ) -> int:
        standing = standings(wanted, state)
        later = 0
        for user in info.members:
            if user not in standing:
                done = await self._store.remove(inbox=wanted.id, user=user, role=None, at=at)
                later = max(later, done.later)
        for user, (role, joined) in standing.items():
            has = info.members.get(user)
            if has is None or has[0] is not role or (joined and not has[1]):
                await self._store.join(inbox=wanted.id, user=user, role=role, joined=joined, at=at)
        return later

    async def _make_modes(
        self, wanted: Inbox, info: InboxInfo, state: OrgState, away: frozenset[str], *, at: int
    ) -> int:
        """Who is away, and who is not there; of those who join, and of those it is about."""
        later = [0]
        for user, mode in _modes(wanted, state).items():
            if user in away or info.away.get(user, Availability.AVAILABLE) is not mode:
                later.append(
                    await self._store.set_away(inbox=wanted.id, user=user, mode=mode, at=at)
                )
        joins = {u for u in wanted.members if u not in info.members or not info.members[u][1]}
        people = [state.users[u] for u in sorted(joins | away) if u in state.users]
        marks = await self._marks([user.id for user in people if not user.bot])
        for user, mark in marks.items():
            await self._store.set_offline(
                inbox=wanted.id, user=user, version=mark.version, since_ms=mark.since_ms
            )
        return max(later)

    async def _make_numbers(
        self, inbox: str, numbers: frozenset[str], info: InboxInfo, *, at: int
    ) -> int:
        # Those that are there too: whoever would still drop them has looked earlier than this.
        added = [await self._add_number(inbox, number, at=at) for number in sorted(numbers)]
        dropped = [
            await self._store.drop_number(inbox=inbox, number=number, at=at)
            for number in info.numbers
            if number not in numbers
        ]
        return max(*added, *dropped, 0, 0)

    async def _add_number(self, inbox: str, number: str, *, at: int) -> int:
        later = await self._store.add_number(inbox=inbox, number=number, at=at, brought=False)
        if later is None:
            await self._opt_outs.bring(inbox=inbox, number=number)
            later = await self._store.add_number(inbox=inbox, number=number, at=at)
        return later or 0

    async def _remove(self, inbox: str, user: str, *, at: int | None) -> None:
        """Take them out, unless they came back after `at`: a job may be done again, much later."""
        state = await self._organisation.state()
        if inbox not in state.inboxes or await self._store.inbox_info(inbox=inbox) is None:
            return
        found = state.users.get(user)
        stays = found is not None and found.role is Role.ADMIN and found.active
        role = Role.ADMIN if stays else None
        done = await self._store.remove(inbox=inbox, user=user, role=role, at=at)
        if done.later > state.seq:  # of a log whose end the engine has lost: they joined in no time
            await self._store.remove(inbox=inbox, user=user, role=role)


def _modes(inbox: Inbox, state: OrgState) -> dict[str, Availability]:
    """What its members set of their availability."""
    users = state.users
    return {name: users[name].away for name in inbox.members if name in users}


def _wanted(inbox: str, state: OrgState) -> object:
    found = state.inboxes.get(inbox)
    if found is None:
        return None
    return found, standings(found, state), numbers_of(inbox, state), _modes(found, state)

"""Users, inboxes, memberships and tokens: wanted in the directory, then applied to the inboxes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

import structlog

from batonbox_server.domain.model import Role
from batonbox_server.errors import BatonboxError
from batonbox_server.store.directory_port import DirectoryStore, Inbox, Job, OrgState, Route, User
from batonbox_server.store.port import InboxInfo, InboxStore

from .directory import LiveDirectory

__all__ = ["Administration"]

_log = structlog.get_logger(__name__)
_JOB_LEASE_MS: Final = 30_000


class Administration:
    """Every change returns once this node knows it and its inboxes obey it.

    A node that dies half-way leaves jobs, which any node finishes (`run_due_jobs`).
    """

    def __init__(
        self, store: InboxStore, organisation: DirectoryStore, directory: LiveDirectory
    ) -> None:
        self._store = store
        self._organisation = organisation
        self._directory = directory
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

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
        await self._apply(await self._organisation.create_user(user))

    async def edit_user(self, user: str, *, name: str | None, role: Role | None) -> None:
        """Change name or role; Refused: `not_found`, `conflict` for the last active admin."""
        await self._apply(await self._organisation.edit_user(user, name=name, role=role))

    async def delete_user(self, user: str) -> None:
        """Delete a user: tokens first, then inbox by inbox; Refused as `edit_user`."""
        await self._apply(await self._organisation.delete_user(user))

    async def deactivate_user(self, user: str) -> None:
        """End all access at once, then the memberships inbox by inbox; Refused as `edit_user`."""
        await self._apply(await self._organisation.deactivate_user(user))

    async def reactivate_user(self, user: str, *, inboxes: tuple[str, ...]) -> None:
        """Let them in again, into these inboxes; Refused("not_found")."""
        await self._apply(await self._organisation.reactivate_user(user, inboxes=inboxes))

    async def accept_invite(self, sha256: str, *, password: str) -> User:
        """Make the user of an invitation; Refused as `DirectoryStore.accept_invite`."""
        user, jobs = await self._organisation.accept_invite(sha256, password=password)
        await self._apply(jobs)
        return user

    async def create_inbox(self, inbox: Inbox) -> None:
        """A new inbox; Refused("conflict") when the id or a number is taken."""
        await self._apply(await self._organisation.create_inbox(inbox))

    async def edit_inbox(
        self,
        inbox: str,
        *,
        name: str | None = None,
        members: tuple[str, ...] | None = None,
        numbers: tuple[str, ...] | None = None,
    ) -> None:
        """Change what is not None; Refused("not_found")."""
        await self._apply(
            await self._organisation.edit_inbox(inbox, name=name, members=members, numbers=numbers)
        )

    async def delete_inbox(self, inbox: str) -> None:
        """Everybody's access ends, then everything is erased; Refused("not_found")."""
        await self._apply(await self._organisation.delete_inbox(inbox))

    async def set_member(self, *, inbox: str, user: str, on: bool) -> None:
        """Put a user into an inbox, or take them out; Refused("not_found")."""
        await self._apply(await self._organisation.set_member(inbox=inbox, user=user, on=on))

    async def set_route(self, route: Route) -> None:
        """Bind a number to an inbox and a carrier; Refused("not_found")."""
        await self._apply(await self._organisation.set_route(route))

    async def run_due_jobs(self) -> int:
        """Finish what a node that died left; returns how many jobs."""
        jobs = await self._organisation.lease_jobs(lease_ms=_JOB_LEASE_MS)
        for job in jobs:
            await self._run(job)
        return len(jobs)

    async def _apply(self, jobs: list[Job]) -> None:
        # Access ends on this node before the inboxes are worked through.
        await self._directory.refresh()
        for job in jobs:
            await self._run(job)

    async def _run(self, job: Job) -> None:
        try:
            async with self._locks[job.inbox]:
                await self._sync(job.inbox, gone=job.data.get("gone", ()))
        except BatonboxError as error:
            # The job stays and is leased again; the change itself stands.
            _log.warning("organisation_job_failed", inbox=job.inbox, error=str(error))
            return
        await self._organisation.finish_job(job.id)

    async def _sync(self, inbox: str, *, gone: list[str]) -> None:
        state = await self._organisation.state()
        for user in gone:
            await self._remove(inbox, user, state)
        while True:
            await self._make(inbox, state)
            # Another node may have wanted something else meanwhile: the last look decides.
            made, state = _wanted(inbox, state), await self._organisation.state()
            if _wanted(inbox, state) == made:
                return

    async def _make(self, inbox: str, state: OrgState) -> None:
        wanted = state.inboxes.get(inbox)
        if wanted is None:
            while not await self._store.delete_inbox(inbox=inbox):
                pass
            return
        await self._store.create_inbox(inbox=inbox)
        info = await self._store.inbox_info(inbox=inbox)
        if info is not None:
            await self._make_members(wanted, info, state)
            await self._make_numbers(wanted, info)

    async def _make_members(self, wanted: Inbox, info: InboxInfo, state: OrgState) -> None:
        standings = _standings(wanted, state)
        for user in info.members:
            if user not in standings:
                await self._store.remove(inbox=wanted.id, user=user, role=None)
        for user, (role, joined) in standings.items():
            has = info.members.get(user)
            if has is None or has[0] is not role or (joined and not has[1]):
                await self._store.join(inbox=wanted.id, user=user, role=role, joined=joined)

    async def _make_numbers(self, wanted: Inbox, info: InboxInfo) -> None:
        for number in wanted.numbers:
            if number not in info.numbers:
                await self._store.add_number(inbox=wanted.id, number=number)
        for number in info.numbers:
            if number not in wanted.numbers:
                await self._store.drop_number(inbox=wanted.id, number=number)

    async def _remove(self, inbox: str, user: str, state: OrgState) -> None:
        if inbox not in state.inboxes:
            return
        found = state.users.get(user)
        stays = found is not None and found.role is Role.ADMIN and found.active
        await self._store.remove(inbox=inbox, user=user, role=Role.ADMIN if stays else None)


def _standings(inbox: Inbox, state: OrgState) -> dict[str, tuple[Role, bool]]:
    """Who should stand in the inbox: its members joined, every other admin beside it."""
    found: dict[str, tuple[Role, bool]] = {
        user.id: (user.role, False)
        for user in state.users.values()
        if user.role is Role.ADMIN and user.active
    }
    for name in inbox.members:
        if name in state.users and state.users[name].active:
            found[name] = (state.users[name].role, True)
    return found


def _wanted(inbox: str, state: OrgState) -> object:
    found = state.inboxes.get(inbox)
    return found and (found, _standings(found, state))

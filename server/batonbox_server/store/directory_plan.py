"""Changes of the directory, planned against one instant of it; pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from batonbox_server.domain.model import Availability, Role
from batonbox_server.errors import Refused
from batonbox_server.store.directory_port import Inbox, Job, OrgState, User
from batonbox_server.store.directory_records import inbox_map, pack, user_map

__all__ = [
    "Plan",
    "existing_inbox",
    "existing_user",
    "join_all",
    "plan_away",
    "plan_name",
    "plan_new_user",
    "plan_set_up",
    "plan_user",
    "plan_user_gone",
    "plan_user_off",
    "plan_user_on",
]


@dataclass(slots=True)
class Plan:
    """What one step writes: records, events in order, jobs, and whose tokens die.

    `was`: records as they stood, by id, where the directory's state does not tell. `actor`: whose
    doing it is, where nobody is signed in yet.
    """

    writes: list[tuple[str, str, bytes]] = field(default_factory=list)
    events: list[tuple[str, bytes]] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    gone: str = ""
    was: dict[str, dict[str, Any]] = field(default_factory=dict)
    actor: str = ""

    def put(self, hash_name: str, name: str, event: str, record: dict[str, Any]) -> None:
        """Write a record and tell about it."""
        self.writes.append((hash_name, name, pack(record)))
        self.events.append((event, pack(record)))

    def drop(self, hash_name: str, name: str, event: str, told: dict[str, Any]) -> None:
        """Take a record away and tell about it."""
        self.writes.append((hash_name, name, b""))
        self.events.append((event, pack(told)))

    def sync(
        self,
        inbox: str,
        *,
        gone: list[str] | None = None,
        take: dict[str, str] | None = None,
        away: list[str] | None = None,
    ) -> None:
        """Leave a job that makes the inbox what is wanted; `gone` leave it first.

        `take`: the tickets of numbers that go there once it accepts them. `away`: whose
        availability it has to learn: they joined, or it has changed.
        """
        data = {"gone": gone or [], "take": take or {}, "away": away or []}
        self.jobs.append(Job(uuid.uuid4().hex, "sync", inbox, data))

    def leave_rooms(self, user: str) -> None:
        """Leave a job that takes somebody out of every channel."""
        self.jobs.append(Job(uuid.uuid4().hex, "leave_rooms", "", {"user": user}))


def existing_user(state: OrgState, user: str) -> User:
    """The user; raises Refused("not_found")."""
    if user not in state.users:
        raise Refused("not_found", f"There is no user {user!r}.")
    return state.users[user]


def existing_inbox(state: OrgState, inbox: str) -> Inbox:
    """The inbox; raises Refused("not_found")."""
    if inbox not in state.inboxes:
        raise Refused("not_found", f"There is no inbox {inbox!r}.")
    return state.inboxes[inbox]


def plan_name(state: OrgState, name: str) -> Plan:
    """Call the organisation something else."""
    plan = Plan()
    if state.name != name:
        plan.writes.append(("profile", "name", name.encode()))
        plan.events.append(("organisation_changed", pack({"name": name})))
    return plan


def plan_set_up(state: OrgState, name: str, admin: User, *, password: str) -> Plan:
    """The first user of an empty organisation, who ends the offer to set it up."""
    if state.users:
        raise Refused("conflict", "This server is set up already; sign in, or ask an admin.")
    plan = plan_name(state, name)
    plan.actor = admin.id
    made = plan_user(state, admin)
    plan.writes += [*made.writes, ("pw", admin.id, password.encode()), ("profile", "setup", b"")]
    plan.events += made.events
    plan.jobs += made.jobs
    return plan


def plan_new_user(state: OrgState, user: User) -> Plan:
    """Create a user whose id is free."""
    if user.id in state.users:
        raise Refused("conflict", f"There is a user {user.id!r} already; choose another id.")
    return plan_user(state, user)


def plan_user(state: OrgState, user: User) -> Plan:
    """Create or change a user; an admin stands beside every inbox."""
    plan, old = Plan(), state.users.get(user.id)
    if old == user:
        return plan
    if user.bot and user.role is Role.ADMIN:
        raise Refused("bad_request", "role: a bot is a member; what admins may is a person's.")
    if user.role is not Role.ADMIN:
        _keep_an_admin(state, user.id)
    plan.put("users", user.id, "user_changed", user_map(user))
    role_changed = old is not None and old.role is not user.role
    for inbox in state.inboxes.values():
        if role_changed or (old is None and user.role is Role.ADMIN):
            plan.sync(inbox.id)
    return plan


def plan_away(state: OrgState, user: str, mode: Availability) -> Plan:
    """Somebody is away, or back; every inbox they joined obeys."""
    found, plan = existing_user(state, user), Plan()
    if not found.active:
        raise Refused("not_found", f"{user!r} is deactivated.")
    if found.away is not mode:
        plan.put("users", user, "user_changed", user_map(replace(found, away=mode)))
    # Also when the record says so already: whoever repeats it returns once the inboxes obey.
    for inbox in state.inboxes.values():
        if user in inbox.members:
            plan.sync(inbox.id, away=[user])
    return plan


def plan_user_gone(state: OrgState, user: str) -> Plan:
    """Delete a user: out of every inbox they stand in, their tokens dead."""
    found = existing_user(state, user)
    _keep_an_admin(state, user)
    plan = Plan(gone=user)
    _leave_all(plan, state, found)
    plan.drop("users", user, "user_deleted", {"id": user})
    plan.leave_rooms(user)
    plan.writes += [("pw", user, b""), ("oidc", user, b"")]
    return plan


def plan_user_off(state: OrgState, user: str) -> Plan:
    """Deactivate a user: as if deleted, but for name and role, which history needs."""
    found = existing_user(state, user)
    if not found.active:
        return Plan()
    _keep_an_admin(state, user)
    plan = Plan(gone=user)
    # First, so that nodes close the user's connections before they look at any inbox.
    plan.put("users", user, "user_changed", user_map(replace(found, active=False)))
    _leave_all(plan, state, found)
    plan.leave_rooms(user)
    return plan


def plan_user_on(state: OrgState, user: str, *, inboxes: tuple[str, ...]) -> Plan:
    """Reactivate a user, who joins these inboxes; an admin stands beside every other."""
    found = existing_user(state, user)
    plan = Plan()
    if not found.active:
        plan.put("users", user, "user_changed", user_map(replace(found, active=True)))
    join_all(plan, state, found, inboxes)
    if not found.active and found.role is Role.ADMIN:
        for inbox in state.inboxes:
            plan.sync(inbox)
    return plan


def join_all(plan: Plan, state: OrgState, user: User, inboxes: Iterable[str]) -> None:
    """Memberships of somebody who is about to be there; raises Refused("not_found")."""
    for name in inboxes:
        inbox = existing_inbox(state, name)
        if user.id not in inbox.members:
            joined = replace(inbox, members=(*inbox.members, user.id))
            plan.put("inboxes", name, "inbox_changed", inbox_map(joined))
            plan.sync(name, away=[user.id])


def _leave_all(plan: Plan, state: OrgState, user: User) -> None:
    for inbox in state.inboxes.values():
        if user.id in inbox.members:
            left = replace(inbox, members=tuple(m for m in inbox.members if m != user.id))
            plan.put("inboxes", inbox.id, "inbox_changed", inbox_map(left))
        if user.id in inbox.members or user.role is Role.ADMIN:
            plan.sync(inbox.id, gone=[user.id])


def _keep_an_admin(state: OrgState, user: str) -> None:
    admins = [u.id for u in state.users.values() if u.role is Role.ADMIN and u.active]
    if admins == [user]:
        raise Refused("conflict", "This is the last active admin; make another one first.")

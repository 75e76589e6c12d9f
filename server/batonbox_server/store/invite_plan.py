"""Invitations: kept, revoked and accepted, planned against one instant of the directory; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from batonbox_server.domain.model import Role
from batonbox_server.errors import Refused
from batonbox_server.store.directory_port import Invite, OrgState, User

from .directory_plan import Plan, existing_inbox, join_all, plan_new_user
from .directory_records import invite_map, pack

__all__ = ["plan_accepted", "plan_invite", "plan_invite_gone"]

_MOST: Final = 1000
_DEAD: Final = "This invitation was used or revoked, or has expired; ask an admin for a new one."


def plan_invite(state: OrgState, invites: Sequence[Invite], new: Invite) -> Plan:
    """Keep an invitation; those that have expired are erased."""
    plan = Plan()
    for old in invites:
        if old.expires_ms <= new.created_ms:
            _drop(plan, old.id)
        elif old.user == new.user:
            raise Refused("conflict", f"{new.user!r} is invited already; revoke that one first.")
    if new.user in state.users:
        raise Refused("conflict", f"There is a user {new.user!r} already; choose another id.")
    for inbox in new.inboxes:
        existing_inbox(state, inbox)
    if len(invites) - len(plan.writes) >= _MOST:
        raise Refused("conflict", f"{_MOST} invitations wait already; revoke some first.")
    plan.writes.append(("invites", new.id, pack(invite_map(new))))
    plan.events.append(("invite_changed", pack({"id": new.id})))
    return plan


def plan_invite_gone(invites: Sequence[Invite], invite: str) -> Plan:
    """Revoke an invitation, if it is there."""
    plan = Plan()
    if invite in {found.id for found in invites}:
        _drop(plan, invite)
    return plan


def plan_accepted(
    state: OrgState, invites: Sequence[Invite], sha256: str, *, password: str, now_ms: int
) -> tuple[User, Plan]:
    """Make the user of an invitation, with the hash of their password.

    Inboxes that are no more are left out.
    """
    found = next((i for i in invites if i.sha256 == sha256 and i.expires_ms > now_ms), None)
    if found is None:
        raise Refused("unauthorized", _DEAD)
    user = User(found.user, found.name, Role(found.role))
    plan = plan_new_user(state, user)
    plan.actor = user.id
    join_all(plan, state, user, [name for name in found.inboxes if name in state.inboxes])
    plan.writes.append(("pw", user.id, password.encode()))
    _drop(plan, found.id)
    return user, plan


def _drop(plan: Plan, invite: str) -> None:
    plan.drop("invites", invite, "invite_deleted", {"id": invite})

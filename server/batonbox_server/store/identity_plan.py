"""Whose an identity of the provider is, planned against one instant of the directory; pure."""

from __future__ import annotations

from collections.abc import Mapping

from batonbox_server.store.directory_plan import Plan, existing_user, plan_new_user
from batonbox_server.store.directory_port import OrgState, User
from batonbox_server.store.directory_records import pack
from batonbox_server.store.oidc_port import Identity, NoEntry

__all__ = ["plan_identified", "plan_identity_gone"]


def plan_identified(
    state: OrgState,
    linked: Mapping[str, str],
    identity: Identity,
    *,
    claim: str,
    fresh: User | None,
) -> tuple[User, Plan]:
    """See `OidcStore.identify`; `linked` are the users' identities."""
    owner = next((user for user, text in linked.items() if text == identity.text), "")
    if owner in state.users:
        return _fit(state.users[owner]), Plan()
    if claim in state.users:
        user, plan = _claimed(state.users[claim], linked, identity), Plan()
    elif fresh is not None:
        user, plan = fresh, plan_new_user(state, fresh)
    else:
        raise NoEntry("unknown", f"there is no user {claim!r}")
    plan.actor = user.id
    plan.writes.append(("oidc", user.id, identity.text.encode()))
    told = {"id": user.id, "issuer": identity.issuer, "subject": identity.subject}
    plan.events.append(("identity_linked", pack(told)))
    return user, plan


def plan_identity_gone(state: OrgState, linked: Mapping[str, str], user: str) -> Plan:
    """Take the user's identity away, if they have one."""
    plan = Plan()
    existing_user(state, user)
    if user in linked:
        plan.was[user] = {"identity": linked[user]}
        plan.drop("oidc", user, "identity_deleted", {"id": user})
    return plan


def _claimed(user: User, linked: Mapping[str, str], identity: Identity) -> User:
    """The user, if this identity may become theirs; those of an earlier provider mean nothing."""
    if linked.get(user.id, "").startswith(f"{identity.issuer} "):
        raise NoEntry("linked", f"another identity is that of {user.id!r}")
    return _fit(user)


def _fit(user: User) -> User:
    if user.bot:
        raise NoEntry("bot", f"{user.id!r} is a bot")
    if not user.active:
        raise NoEntry("inactive", f"{user.id!r} is deactivated")
    return user

"""What an inbox should be, by the directory alone; pure."""

from __future__ import annotations

from batonbox_server.domain.model import Role
from batonbox_server.store.directory_port import Inbox, OrgState

__all__ = ["numbers_of", "standings"]


def standings(inbox: Inbox, state: OrgState) -> dict[str, tuple[Role, bool]]:
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


def numbers_of(inbox: str, state: OrgState) -> frozenset[str]:
    """The numbers it should accept: those that deliver there, and those about to."""
    routes = state.routes.values()
    return frozenset(r.number for r in routes if inbox in (r.delivers, r.taker))

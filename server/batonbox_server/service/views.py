"""How the directory is shown to clients; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batonbox_server.domain.model import Role
from batonbox_server.store.directory_port import Inbox, User

__all__ = ["frame_of_inbox", "frame_of_user", "sees"]


def frame_of_user(user: User) -> dict[str, Any]:
    """A user, as everybody may see them."""
    return {
        "id": user.id,
        "name": user.name,
        "role": str(user.role),
        "active": user.active,
        "bot": user.bot,
        "away": str(user.away),
    }


def frame_of_inbox(inbox: Inbox) -> dict[str, Any]:
    """An inbox, as those who see it may see it."""
    return {
        "id": inbox.id,
        "name": inbox.name,
        "numbers": list(inbox.numbers),
        "members": list(inbox.members),
        "kind": str(inbox.kind),
        "extension": inbox.extension,
        "members_may_dispatch": inbox.options.members_may_dispatch,
    }


def sees(inbox: Inbox | None, users: Mapping[str, User]) -> frozenset[str]:
    """Who may see the inbox once it is live: its members, and every active admin."""
    if inbox is None or not inbox.live:
        return frozenset()
    admins = {user.id for user in users.values() if user.role is Role.ADMIN and user.active}
    return frozenset(admins | set(inbox.members))

"""Tokens are held to their scopes: asked by HTTP, the websocket and the commands alike."""

from __future__ import annotations

from collections.abc import Collection

from batonbox_server.domain.policy import (
    ALL_SCOPES,
    BECOMES,
    BOT_SCOPES,
    Action,
    Scope,
    missing_scope,
)
from batonbox_server.errors import Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.directory_port import User

__all__ = ["check_request", "check_scope", "scopes_for"]


def check_scope(principal: Principal, action: Action) -> None:
    """Raises Refused("forbidden") that names the scope which the principal's token lacks."""
    missing = missing_scope(action, principal.scopes)
    if missing is not None:
        raise Refused(
            "forbidden",
            f"This API key lacks the scope {missing}, which this takes: {action.value}. "
            "An admin can make a key that has it.",
        )


def check_request(principal: Principal, action: Action) -> None:
    """The same before a request's arguments are known; `InboxCommands` looks again with them."""
    other = BECOMES.get(action)
    if other is None or missing_scope(other, principal.scopes) is not None:
        check_scope(principal, action)


def scopes_for(user: User, wanted: Collection[Scope] | None) -> tuple[str, ...]:
    """The scopes of a new token, None for the usual ones; Refused("bad_request")."""
    if wanted is None:
        return BOT_SCOPES if user.bot else ALL_SCOPES
    if not wanted:
        raise Refused("bad_request", f"scopes: some of {', '.join(ALL_SCOPES)}.")
    if user.bot and Scope.ADMIN in wanted:
        raise Refused("bad_request", "scopes: a bot is no admin; it can have read and act.")
    return tuple(scope for scope in ALL_SCOPES if scope in wanted)

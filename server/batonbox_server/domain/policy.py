"""Who may do what, as one table; the scripts enforce its standing within an inbox atomically.

HTTP and the websocket ask the same table before a command reaches the store.  What only the store
can know at the instant of the change (is the caller the owner, still a member?) is checked there,
ordered with revocations; the table names that standing so that the two can be compared.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from batonbox_server.domain.model import Role


class Action(StrEnum):
    """Everything somebody may ask for."""

    SIGN_IN = "sign in and see oneself"
    SEE = "see the inbox, Open and Done"
    MARK = "mark as read or unread for oneself"
    ASSIGN = "Assign to Me"
    DISPATCH = "assign to a colleague"
    TRANSFER = "Transfer"
    RETURN = "Return to Inbox"
    FINISH = "Mark as Done"
    UNDO = "undo one's own last change"
    REPLY = "reply"
    COMPOSE = "start a conversation"
    RETRY = "send a failed message again"
    NOTE = "internal note"
    ADMINISTER = "users, inboxes, members, numbers"
    SIMULATE = "the loopback carrier's phones"


class Standing(StrEnum):
    """What the caller is to the conversation's inbox."""

    STRANGER = "not a member"
    MEMBER = "member"
    OWNER = "owner"
    ADMIN = "admin"


_ANYBODY: Final = frozenset(Standing)
_INSIDE: Final = frozenset({Standing.MEMBER, Standing.OWNER, Standing.ADMIN})
_OWNER_OR_ADMIN: Final = frozenset({Standing.OWNER, Standing.ADMIN})
_OWNER: Final = frozenset({Standing.OWNER})
_ADMIN: Final = frozenset({Standing.ADMIN})

ALLOWED: Final[dict[Action, frozenset[Standing]]] = {
    Action.SIGN_IN: _ANYBODY,
    Action.SEE: _INSIDE,
    Action.MARK: _INSIDE,
    Action.ASSIGN: _INSIDE,
    Action.DISPATCH: _ADMIN,
    Action.TRANSFER: _OWNER_OR_ADMIN,
    Action.RETURN: _OWNER_OR_ADMIN,
    Action.FINISH: _INSIDE,  # mine or unassigned; an admin anybody's
    Action.UNDO: _INSIDE,  # one's own act
    Action.REPLY: _OWNER,
    Action.COMPOSE: _INSIDE,
    Action.RETRY: _INSIDE,
    Action.NOTE: _INSIDE,
    Action.ADMINISTER: _ADMIN,
    Action.SIMULATE: _ADMIN,
}

COMMANDS: Final[dict[str, Action]] = {
    "assign": Action.ASSIGN,
    "transfer": Action.TRANSFER,
    "return": Action.RETURN,
    "done": Action.FINISH,
    "undo": Action.UNDO,
    "reply": Action.REPLY,
    "note": Action.NOTE,
    "compose": Action.COMPOSE,
    "retry": Action.RETRY,
    "unread": Action.MARK,
    "seen": Action.MARK,
}


def may_ever(action: Action, role: Role) -> bool:
    """Whether somebody of this role can have a standing that allows the action.

    A member is never an admin; an admin may be anything.
    """
    standings = ALLOWED[action]
    return role is Role.ADMIN or bool(standings - _ADMIN)

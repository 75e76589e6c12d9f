"""Who may do what, as one table; the scripts enforce its standing within an inbox atomically.

HTTP and the websocket (and with it the SDK) ask the same table before a command reaches the store.
What only the store can know at the instant of the change (is the caller the owner, still a member?)
is decided there, ordered with revocations; the table says how, and every cell is a test on every
transport.

A bot is a member that signs in by API token: it has no column, and its tokens have no scope for
what only admins may. Scopes bound every token further, by `SCOPES`.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Final, NamedTuple

from batonbox_server.domain.model import Role


class Action(StrEnum):
    """Everything somebody may ask for."""

    SIGN_IN = "sign in and see oneself"
    ACCOUNT = "one's own sessions and password"
    SEE = "see the inbox, Open and Done"
    MARK = "mark as read or unread for oneself"
    ASSIGN = "Assign to Me"
    DISPATCH = "assign to a colleague"
    TRANSFER = "Transfer"
    TAKE_OVER = "take somebody else's"
    RETURN = "Return to Inbox"
    FINISH = "Mark as Done"
    UNDO = "undo one's own last change"
    REPLY = "reply"
    COMPOSE = "start a conversation"
    RETRY = "send a failed message again"
    SNOOZE = "put one's own aside for a while"
    NOTE = "internal note"
    TALK = "direct messages and the channels one is in"
    CHANNELS = "make, rename, archive channels, put people in and take them out"
    CONTACTS = "look contacts up, add and change them"
    ADMINISTER = "users, inboxes, members, numbers"
    SIMULATE = "the loopback carrier's phones"


class Scope(StrEnum):
    """What an API token may be used for, of what its user may."""

    READ = "read"
    ACT = "act"
    ADMIN = "admin"


ALL_SCOPES: Final = tuple(str(scope) for scope in Scope)
BOT_SCOPES: Final = (str(Scope.READ), str(Scope.ACT))  # of a bot's token, unless it says less


class Standing(StrEnum):
    """What the caller is to the inbox."""

    STRANGER = "not a member"
    MEMBER = "member"
    ADMIN = "admin"


class Held(StrEnum):
    """Who has the conversation."""

    NOBODY = "nobody"
    CALLER = "the caller"
    OTHER = "somebody else"


class By(NamedTuple):
    """How a member and an admin are answered: "" allowed, else the slug of the refusal."""

    member: str
    admin: str


class Rule(NamedTuple):
    """One action's cells, by who has the conversation; `stranger` is whoever is not a member."""

    stranger: str
    nobody: By
    caller: By
    other: By

    def cell(self, standing: Standing, held: Held) -> str:
        """The one cell; a stranger has no conversation."""
        if standing is Standing.STRANGER:
            return self.stranger
        by = {Held.NOBODY: self.nobody, Held.CALLER: self.caller, Held.OTHER: self.other}[held]
        return by.admin if standing is Standing.ADMIN else by.member


_NO: Final = "forbidden"
_YES: Final = By("", "")
_ADMIN: Final = By(_NO, "")
_NOT_OWNER: Final = By("not_owner", "not_owner")
# With the present owner's token, which the script asks of an admin who acts on somebody else's.
_OVERRIDE: Final = By("not_owner", "")

# Refusing an action to everybody but admins needs no conversation and is done before the store is
# asked (`may_ever`). All else is decided by scripts: `begin` in lib/command.lua refuses strangers,
# and after it the script named beside the row decides.
TABLE: Final[dict[Action, Rule]] = {
    Action.SIGN_IN: Rule("", _YES, _YES, _YES),
    Action.ACCOUNT: Rule("", _YES, _YES, _YES),
    Action.SEE: Rule(_NO, _YES, _YES, _YES),  # page, history; CHECK and the hub likewise
    Action.MARK: Rule(_NO, _YES, _YES, _YES),  # seen, unread
    # assign: one's own again is a no-op success; nobody's role takes somebody else's this way
    Action.ASSIGN: Rule(_NO, _YES, _YES, By("conflict", "conflict")),
    # assign: what is somebody's is not handed out, an admin's own included (that is Transfer);
    # members may where the inbox lets them (`OPTIONAL`)
    Action.DISPATCH: Rule(_NO, _ADMIN, By(_NO, "conflict"), By(_NO, "conflict")),
    Action.TRANSFER: Rule(_NO, _NOT_OWNER, _YES, _OVERRIDE),  # transfer: fence
    Action.TAKE_OVER: Rule(_NO, _NOT_OWNER, _YES, _OVERRIDE),  # transfer to oneself: fence
    Action.RETURN: Rule(_NO, _NOT_OWNER, _YES, _OVERRIDE),  # release: fence
    Action.FINISH: Rule(_NO, _YES, _YES, _OVERRIDE),  # done: fence
    # undo: one's own act; here the last act is the holder's, and nobody's is a customer's message
    Action.UNDO: Rule(_NO, By("not_undoable", "not_undoable"), _YES,
                      By("not_undoable", "not_undoable")),
    Action.REPLY: Rule(_NO, _NOT_OWNER, _YES, _NOT_OWNER),  # reply
    Action.COMPOSE: Rule(_NO, _YES, _YES, By("conflict", "conflict")),  # compose
    Action.RETRY: Rule(_NO, _NOT_OWNER, _YES, _NOT_OWNER),  # retry
    Action.SNOOZE: Rule(_NO, _NOT_OWNER, _YES, _NOT_OWNER),  # snooze, wake
    Action.NOTE: Rule(_NO, _YES, _YES, _YES),  # note
    # Of a room, not of an inbox: whoever is not in it is refused by its own scripts.
    Action.TALK: Rule("", _YES, _YES, _YES),
    Action.CHANNELS: Rule(_NO, _ADMIN, _ADMIN, _ADMIN),
    Action.CONTACTS: Rule("", _YES, _YES, _YES),
    Action.ADMINISTER: Rule(_NO, _ADMIN, _ADMIN, _ADMIN),
    Action.SIMULATE: Rule(_NO, _ADMIN, _ADMIN, _ADMIN),  # but a demo's phones are everybody's
}  # fmt: skip

# The same rows in an inbox with the option that lets members do it.
OPTIONAL: Final[dict[Action, Rule]] = {
    # members_may_dispatch
    Action.DISPATCH: Rule(_NO, _YES, By("conflict", "conflict"), By("conflict", "conflict")),
}

# The scope a token needs for an action; None: whatever it is for, it signs in. Without `admin` an
# admin's token acts as a member's, on others' conversations too (`Origin.as_member`).
SCOPES: Final[dict[Action, Scope | None]] = {
    Action.SIGN_IN: None,
    Action.ACCOUNT: Scope.ACT,
    Action.SEE: Scope.READ,
    Action.MARK: Scope.READ,
    Action.ASSIGN: Scope.ACT,
    Action.DISPATCH: Scope.ACT,
    Action.TRANSFER: Scope.ACT,
    Action.TAKE_OVER: Scope.ADMIN,
    Action.RETURN: Scope.ACT,
    Action.FINISH: Scope.ACT,
    Action.UNDO: Scope.ACT,
    Action.REPLY: Scope.ACT,
    Action.COMPOSE: Scope.ACT,
    Action.RETRY: Scope.ACT,
    Action.SNOOZE: Scope.ACT,
    Action.NOTE: Scope.ACT,
    Action.TALK: Scope.ACT,
    Action.CHANNELS: Scope.ADMIN,
    Action.CONTACTS: Scope.ACT,
    Action.ADMINISTER: Scope.ADMIN,
    Action.SIMULATE: Scope.ADMIN,
}

COMMANDS: Final[dict[str, Action]] = {
    "assign": Action.ASSIGN,  # to somebody else: DISPATCH
    "transfer": Action.TRANSFER,  # to oneself: TAKE_OVER
    "return": Action.RETURN,
    "done": Action.FINISH,
    "undo": Action.UNDO,
    "reply": Action.REPLY,
    "note": Action.NOTE,
    "compose": Action.COMPOSE,
    "retry": Action.RETRY,
    "unread": Action.MARK,
    "seen": Action.MARK,
    "snooze": Action.SNOOZE,
    "wake": Action.SNOOZE,
    "set_away": Action.ACCOUNT,
    "open_dm": Action.TALK,
    "create": Action.CHANNELS,
    "join": Action.TALK,
    "leave": Action.TALK,
    "invite": Action.CHANNELS,
    "remove": Action.CHANNELS,
    "rename": Action.CHANNELS,
    "archive": Action.CHANNELS,
    "post": Action.TALK,
    "edit": Action.TALK,
    "delete": Action.TALK,
}

# What a command may turn out to be by its arguments, which are read after its HTTP row is asked.
BECOMES: Final[dict[Action, Action]] = {
    Action.TRANSFER: Action.TAKE_OVER,
}

# The client's websocket frames by name; None is open to whoever has connected, on purpose: to say
# who one is, to ask for a command (which has a row above), to hear less, and to be alive.
FRAMES: Final[dict[str, Action | None]] = {
    "HELLO": None,
    "CMD": None,
    "UNSUB": None,
    "PONG": None,
    "REFRESH": Action.SIGN_IN,
    "SUB": Action.SEE,
    "PAGE": Action.SEE,
    "HISTORY": Action.SEE,
    "CHECK": Action.SEE,
    "SEEN": Action.MARK,
    "VIEWING": Action.SEE,
    "GROUP": Action.SEE,  # which of one's own copies gets what one may see anyway
}


def missing_scope(action: Action, scopes: Collection[str]) -> Scope | None:
    """The scope that a token of these scopes lacks for the action."""
    needed = SCOPES[action]
    return needed if needed is not None and needed not in scopes else None


def may_ever(action: Action, role: Role) -> bool:
    """Whether somebody of this role can have a standing that allows the action.

    A member is never an admin; an admin may be anything. Only an inbox knows its options.
    """
    rule = OPTIONAL.get(action, TABLE[action])
    standing = Standing.ADMIN if role is Role.ADMIN else Standing.MEMBER
    return any(rule.cell(standing, held) == "" for held in Held)

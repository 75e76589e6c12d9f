"""The organisation's own log and directory: users, tokens, inboxes, grants, number routes.

What stands here is what is *wanted*; a change that concerns inboxes leaves a durable job in the
same step, and applying it to an inbox (`InboxStore.join`, `remove`, ...) is idempotent, so any node
can finish what another began.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from batonbox_server.domain.model import Availability, Destination, InboxOptions, Role
from batonbox_server.domain.policy import ALL_SCOPES


@dataclass(frozen=True, slots=True)
class User:
    """A team member or bot; one who is not active is history: no access, no inbox.

    `away` is what they set themselves; every inbox they joined obeys it.
    """

    id: str
    name: str
    role: Role
    active: bool = True
    bot: bool = False  # a program: it signs in by API tokens alone
    away: Availability = Availability.AVAILABLE


@dataclass(frozen=True, slots=True)
class Token:
    """A token as stored: by the SHA-256 of its secret, never the secret.

    `kind` is `api`, or `session` of somebody signed in, which ends at `expires_ms` (0: never).
    `scopes` bound what it may be used for (`domain.policy.Scope`). `used_ms` is coarse; 0: never.
    `agent` and `address`: what signed in, and from where.
    """

    id: str
    user: str
    created_ms: int
    label: str = ""
    limits: dict[str, int] = field(default_factory=dict)
    kind: str = "api"
    expires_ms: int = 0
    scopes: tuple[str, ...] = ALL_SCOPES
    used_ms: int = 0
    agent: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """What somebody becomes who opens a link, whose code is stored by its SHA-256 alone."""

    id: str
    sha256: str
    user: str
    name: str
    role: Role
    inboxes: tuple[str, ...]
    by: str
    created_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Inbox:
    """A routing destination, which is an inbox from its first messaging number on.

    `members` joined explicitly, admins stand beside. `numbers` are those that deliver here: they
    follow from the records of the numbers. Until it is `live` members see nothing of it and it has
    no log; it stays live, with its history, when numbers go.
    """

    id: str
    name: str
    members: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    deleted: bool = False
    kind: Destination = Destination.DEPARTMENT
    extension: str = ""
    live: bool = False
    options: InboxOptions = field(default_factory=InboxOptions)


@dataclass(frozen=True, slots=True)
class Move:
    """What a number becomes as soon as that inbox takes it; the ticket tells two alike apart."""

    ticket: str
    inbox: str
    carrier: str


@dataclass(frozen=True, slots=True)
class Route:
    """A phone number: its carrier account and where it is assigned, `inbox` "" for nowhere.

    Without `messaging` it delivers nothing and sends nothing.
    """

    number: str
    inbox: str
    carrier: str
    messaging: bool = True
    move: Move | None = None

    @property
    def delivers(self) -> str:
        """The inbox that its messages go to, "" for none."""
        return self.inbox if self.messaging else ""

    @property
    def taker(self) -> str:
        """The inbox that is about to get it, "" for none."""
        return self.move.inbox if self.move else ""

    @property
    def intended(self) -> Route:
        """As it was last asked to be."""
        if self.move is None:
            return self
        return Route(self.number, self.move.inbox, self.move.carrier)


@dataclass(frozen=True, slots=True)
class Pin:
    """Which inbox a carrier's message goes to, "" for none yet; each choice has its own `turn`."""

    inbox: str
    turn: int


@dataclass(frozen=True, slots=True)
class OrgState:
    """The whole directory at `seq` of the organisation's log; tokens are not in it."""

    epoch: str
    seq: int
    tip: str
    users: dict[str, User]
    inboxes: dict[str, Inbox]
    routes: dict[str, Route]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """Work an organisation change left for an inbox.

    kind `sync`: take `data["gone"]` out of the inbox, then make it what the directory wants at the
    time of doing so: jobs may be done twice, late and in any order. `data["at"]` is the position of
    the change in the log: whoever of `gone` has joined after it stays. Then `take_numbers` with
    `data["take"]`, a ticket by number, if there is any. `data["away"]` are those who joined or
    whose availability changed: theirs is written whether or not the inbox has it already.

    kind `presence`, of no inbox: tell every inbox that `data["user"]` joined since when they are
    without a connection (`since_ms`, 0: they have one), as of `data["version"]`.

    kind `leave_rooms`, of no inbox: take `data["user"]` out of every channel, unless they are
    active again: then they left before they came back.
    """

    id: str
    kind: str
    inbox: str
    data: dict[str, Any]


class DirectoryStore(Protocol):
    """Mutations append to the organisation's log (types in capitals below).

    An event's body is the record: `user_changed`, `user_deleted`, `inbox_changed`, `inbox_deleted`,
    `route_changed`, `route_deleted`, `token_changed`, `organisation_changed` {name},
    `invite_changed` and `invite_deleted` {id}; `token_deleted` names {user, token} in
    meta, and `expired` where nobody ended it.
    """

    async def open(self) -> None:
        """Make the organisation's log if this engine is new."""

    async def state(self) -> OrgState:
        """One instant of the directory."""

    async def top(self) -> int:
        """The seq of the newest event of the organisation's log."""

    async def secret(self) -> bytes:
        """32 random bytes made once per organisation: signs connection tokens."""

    async def set_name(self, name: str) -> list[Job]:
        """What the organisation is called; ORGANISATION_CHANGED."""

    async def offer_setup(self, sha256: str) -> None:
        """Whoever shows the secret of this hash may set up the organisation while it is empty.

        An earlier offer ends.
        """

    async def setup_offered(self) -> str:
        """The hash of the offer that stands; "" for none."""

    async def set_up(self, name: str, admin: User, *, password: str) -> list[Job]:
        """Name the organisation and make its first user, with the hash of a password, in one step.

        The offer ends. Refused("conflict") once there is any user.
        """

    async def create_user(self, user: User) -> list[Job]:
        """USER_CHANGED; Refused("conflict") when the id is taken.

        An admin's jobs put them beside every inbox.
        """

    async def edit_user(self, user: str, *, name: str | None, role: Role | None) -> list[Job]:
        """Change what is not None, in one step.

        Refused: `not_found`; `conflict` when no active admin would be left, as in the two below.
        """

    async def set_away(self, user: str, mode: Availability) -> list[Job]:
        """What a user set; USER_CHANGED, and jobs for the inboxes they joined.

        Refused("not_found"), also of somebody who is deactivated.
        """

    async def delete_user(self, user: str) -> list[Job]:
        """Tokens and password die in this step; USER_DELETED. Jobs remove them from every inbox."""

    async def deactivate_user(self, user: str) -> list[Job]:
        """Tokens die and memberships end in this step; USER_CHANGED. Jobs as above.

        The password stays for a reactivation; nothing signs the user in before.
        """

    async def reactivate_user(self, user: str, *, inboxes: tuple[str, ...]) -> list[Job]:
        """Active again, and a member of these inboxes; Refused("not_found")."""

    async def add_invite(self, invite: Invite) -> None:
        """Refused: `conflict` when the user's id is taken or invited, `not_found` of an inbox."""

    async def invites(self) -> list[Invite]:
        """Those that are neither used nor revoked, the expired among them, the oldest first."""

    async def drop_invite(self, invite: str) -> bool:
        """Revoke; False when there is none of this id."""

    async def accept_invite(self, sha256: str, *, password: str) -> tuple[User, list[Job]]:
        """Use the invitation up: its user, with the hash of a password, and their memberships.

        Refused: `unauthorized` when there is none (any more), `conflict` when the id is taken.
        """

    async def create_inbox(self, inbox: Inbox) -> list[Job]:
        """INBOX_CHANGED; it is live once a job has given it a number.

        Refused: `conflict` when the id, the extension or a number is taken, `not_found` of a user.
        """

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
    ) -> list[Job]:
        """Change what is not None, in one step; numbers come from wherever they were.

        `options` are those fields of InboxOptions that change.

        Refused: `not_found`, `conflict` when the extension is taken.
        """

    async def set_member(self, *, inbox: str, user: str, on: bool) -> list[Job]:
        """Put a user into an inbox or take them out, in one step; Refused("not_found")."""

    async def delete_inbox(self, inbox: str) -> list[Job]:
        """INBOX_DELETED; its numbers deliver nowhere. Refused("not_found")."""

    async def put_number(
        self, number: str, *, inbox: str, carrier: str, messaging: bool
    ) -> list[Job]:
        """Make a number's record, or replace it; carrier "" is this server's.

        An inbox that the number did not deliver to takes it first: the record keeps what it says
        until that inbox's job is done, so that there is no moment at which nobody accepts its
        messages. Refused("not_found") of the inbox.
        """

    async def edit_number(
        self, number: str, *, inbox: str | None, carrier: str | None, messaging: bool | None
    ) -> list[Job]:
        """Change what is not None, as `put_number` does; Refused("not_found")."""

    async def delete_number(self, number: str) -> list[Job]:
        """ROUTE_DELETED; what was kept for it stays kept. Refused("not_found")."""

    async def take_numbers(self, tickets: Mapping[str, str]) -> list[Job]:
        """The inbox of these moves accepts the numbers: let them deliver there.

        A number whose ticket is another by now is left alone. Jobs make the inboxes before let go.
        """

    async def route(self, number: str) -> Route | None:
        """A number's record; read through, for intake."""

    async def pin(self, *, number: str, provider_id: str, inbox: str, refused: int = 0) -> Pin:
        """Which inbox a carrier's message goes to: whichever was named first, for seven days.

        Another is chosen only when the present one has refused the message in the turn `refused`,
        which is final there (`InboxStore.receive`): so no two inboxes ever store it.
        """

    async def keep_unrouted(self, provider_id: str, record: dict[str, Any]) -> None:
        """Keep a message that no inbox wants, once per provider id; bounded, the oldest go."""

    async def unrouted(self) -> list[dict[str, Any]]:
        """The messages kept by `keep_unrouted`, in the order in which they were kept."""

    async def drop_unrouted(self, provider_id: str) -> None:
        """Keep it no longer; nothing happens when it is not kept."""

    async def discard_unrouted(self, number: str) -> None:
        """Throw away all that is kept for a number; the audit log says who did, and how many."""

    async def token_alive(self, token: str) -> bool:
        """Whether the token of this id still stands."""

    async def add_token(self, token: Token, *, sha256: str, proof: str = "", most: int = 0) -> None:
        """Store a token; TOKEN_CHANGED without the hash; Refused("not_found") without its user.

        Of a user's sessions the oldest are revoked beyond `most`. A session's `proof` must hold in
        the same step, else Refused("conflict"): `password:<hash>` that it stands, `oidc:<identity>`
        that it is the user's, `link:<sha256>` that the link is theirs and unused; it is used up.
        """

    async def token(self, sha256: str) -> Token | None:
        """Look a token up by the hash of its secret; one that has expired is revoked."""

    async def tokens(self, user: str) -> list[Token]:
        """A user's API tokens."""

    async def sessions(self, user: str) -> list[Token]:
        """A user's sessions that have not ended, the newest first."""

    async def use_token(self, token: str, *, at_ms: int) -> None:
        """It was used then; nothing happens to one that is gone. Written no more than coarsely."""

    async def delete_token(self, token: str) -> bool:
        """Revoke; TOKEN_DELETED {id, user} makes every node close its connections (4101)."""

    async def lease_jobs(self, *, n: int = 16) -> list[Job]:
        """Jobs that are due: left by a node that died, or never begun."""

    async def finish_job(self, job: str) -> None:
        """The job is applied."""

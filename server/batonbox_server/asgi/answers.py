"""What endpoints answer, as shapes: their table names them, the API's documents show them.

Fields may be added in a minor version; the contract test holds every answer against these.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from msgspec import UNSET, Struct, UnsetType

from batonbox_server.domain.model import Availability, Destination, Kind, Presence, Role, Status
from batonbox_server.domain.policy import Scope

__all__ = [
    "Colleague",
    "ConnectionToken",
    "Contested",
    "Conversation",
    "Done",
    "FailurePlan",
    "Inbox",
    "Invitation",
    "Invited",
    "Items",
    "JoinableInbox",
    "Liveness",
    "MadeInvitation",
    "MadeToken",
    "Marked",
    "Me",
    "Number",
    "PhoneMessage",
    "Problem",
    "Provider",
    "Readiness",
    "Receipted",
    "Received",
    "SessionState",
    "SignedIn",
    "Thread",
    "ThreadMessage",
    "Token",
    "User",
]

T = TypeVar("T")


class Items(Struct, Generic[T]):
    """A page of a list; `next` is an opaque cursor, null at the end."""

    items: list[T]
    next: str | int | None


class User(Struct):
    """A team member; one who is not active is there for history alone.

    `away` is what they set: "" (available), "away", or "release": away, and customers' next
    messages go back to the inbox.
    """

    id: str
    name: str
    role: Role
    active: bool
    bot: bool
    away: Availability


class Colleague(User):
    """A team member, and whether they are there: connected, away or offline."""

    presence: Presence


class Named(Struct):
    """The organisation."""

    name: str


class Me(Colleague):
    """The caller, with the inboxes they see and those they joined."""

    organisation: Named
    inboxes: list[str]
    joined: list[str]


class Invitation(Struct):
    """Who somebody becomes who accepts; `by` invited them."""

    id: str
    user: str
    name: str
    role: Role
    inboxes: list[str]
    by: str
    created_at: str | None
    expires_at: str | None


class MadeInvitation(Invitation):
    """An invitation with its code and link, which are shown this once."""

    code: str
    link: str


class Invited(Struct):
    """Whom a code invites, and where to."""

    user: str
    name: str
    organisation: Named
    expires_at: str | None


class ConnectionToken(Struct):
    """A short-lived token for one websocket; `expires_at` is RFC 3339."""

    token: str
    expires_at: str | None


class Inbox(Struct):
    """An inbox with its numbers (E.164) and members; `kind` and `extension` of its destination.

    `members_may_dispatch`: members too may assign what is unassigned to a colleague.
    """

    id: str
    name: str
    numbers: list[str]
    members: list[str]
    kind: Destination
    extension: str
    members_may_dispatch: bool


class JoinableInbox(Inbox):
    """An inbox the caller sees; `joined`: the caller gets its badges."""

    joined: bool


class Conversation(Struct):
    """A conversation's public row; null is nobody, opaque marks are compared for equality only."""

    id: str
    inbox: str
    our: str
    customer: str
    status: Status
    assignee: str | None
    last_assignee: str | None
    own_tok: str
    rev: int
    att: str
    in_seq: str
    last_ms: int
    last_at: str | None
    waiting_since: str | None
    unanswered: int
    preview: str
    n: int
    snoozed_until: str | None
    opted_out: str | None


class ThreadMessage(Struct):
    """A message, note or system line of a conversation; `reason`: why it failed."""

    n: int
    seq: int
    at_ms: int
    at: str | None
    kind: Kind
    actor: str | None
    cid: str
    state: str | None
    body: dict[str, Any] | None
    reason: str | UnsetType = UNSET


class Thread(Conversation):
    """A conversation with its newest messages; `messages_next` goes into `before`."""

    messages: list[ThreadMessage]
    messages_next: int | None


class Marked(Struct):
    """Whether the mark moved."""

    seen: bool


class Done(Struct):
    """A command's result, and the row as it is now where it could be read back.

    `segments`: how many text messages a carrier makes of what was sent, 0 for no text.
    """

    conv: str
    inbox: str
    seq: int
    tip: str
    own_tok: str
    att: str
    n: int | UnsetType = UNSET
    noop: bool | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET
    segments: int | UnsetType = UNSET
    conversation: Conversation | UnsetType = UNSET


class Token(Struct):
    """An API token without its secret."""

    id: str
    user: str
    label: str
    limits: dict[str, int]
    scopes: list[Scope]
    created_at: str | None
    last_used_at: str | None


class MadeToken(Token):
    """A new API token; its secret `token` is shown this once."""

    token: str


class Provider(Struct):
    """An identity provider to sign in at: GET session/oidc goes there."""

    name: str


class SessionState(Struct):
    """Who is signed in here, and what this server offers them."""

    signed_in: bool
    setup: bool
    demo: bool
    loopback: bool
    simulator: bool
    build: str
    version: str
    oidc: Provider | None
    user: User | UnsetType = UNSET


class SignedIn(Struct):
    """The person who signed in; the session stands in the cookie."""

    user: User


class Received(Struct):
    """Where an inbound message went; `duplicate`: it was there already."""

    conv: str
    inbox: str
    n: int
    seq: int
    duplicate: bool


class Receipted(Struct):
    """The receipt was about a message of ours."""

    known: bool


class PhoneFile(Struct):
    """A file on a simulated phone, and where it is for a day."""

    id: str
    type: str
    size: int
    name: str
    url: str


class PhoneMessage(Struct, rename={"from_": "from"}):
    """A message on a simulated phone; `media` are the addresses of its `files`."""

    id: str
    from_: str
    to: str
    text: str
    media: list[str]
    files: list[PhoneFile]


class FailurePlan(Struct):
    """How the next deliveries to a phone end."""

    to: str
    count: int
    permanent: bool
    reason: str


class Number(Struct):
    """One of our numbers that simulated phones can text."""

    number: str
    inbox: str
    name: str


class Racer(Struct):
    """A bot of the race."""

    id: str
    name: str


class Loser(Racer):
    """A bot that came too late: its refusal, and whom the refusal named."""

    code: str
    owner: str | None


class Contested(Struct):
    """How a race for one conversation ended."""

    conv: str
    winner: Racer
    losers: list[Loser]
    ms: float


class Liveness(Struct):
    """The process answers."""

    status: str


class Engine(Struct):
    """The engine behind this node; `away`: servers of a cluster that cannot be reached."""

    name: str
    version: str
    away: list[str]


class Channel(Struct):
    """What this node published on the engine's channel, and heard again: the last time.

    `round_trip_ms` it took, `age_s` ago; null: it was not heard so far.
    """

    round_trip_ms: float | None
    age_s: float | None


class Readiness(Struct):
    """Whether this node should get traffic, and what each check says.

    `archive`: `ok`, `none`, or why nothing is moved there; `load`: `calm`, `busy` (most new
    connections are turned away) or `overloaded` (all of them, and requests that can wait). Neither
    keeps traffic away.
    """

    ready: bool
    checks: dict[str, bool]
    engine: Engine
    channel: Channel
    archive: str
    load: str
    version: str


class Problem(Struct):
    """RFC 9457 problem details; `code` is stable, `detail` says what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    cur: Conversation | UnsetType = UNSET
    retry_ms: int | UnsetType = UNSET

"""What a websocket connection needs from the service: who, what may be asked, what changes.

Implementations raise `errors.Refused` (and nothing else on purpose): its slug, message, `cur` and
`retry_ms` travel to the client.  Anything else they raise is logged and told as `internal`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from batonbox_server.wire import Command, Group


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token stands for.

    `exp_ms` is the token's end in epoch ms, 0 for none.  `limits` overrides settings of the same
    names (`commands_per_s`, `commands_burst`, `commands_in_flight`, `connections_per_user`,
    `subscriptions_max`, `requests_per_s`, `requests_burst`): they are raised for load tests, never
    skipped.  `token` names the token
    for revocation (an API token's or a session's id; a connection token carries that of its maker).
    `scopes` bound what it may be used for, of what the user may.
    """

    user: str
    role: str
    exp_ms: int = 0
    limits: Mapping[str, float] = field(default_factory=dict)
    token: str = ""
    scopes: frozenset[str] = frozenset({"read", "act", "admin"})


class Identity(Protocol):
    """Tokens to people."""

    async def authenticate(self, token: str) -> Principal:
        """Raises Refused: `unauthorized`, `token_expired` or `unavailable`."""

    def recognise(self, token: str) -> Principal | None:
        """Who a token stands for that was looked up before, and whose revocation this node would
        be told of; None: `authenticate`.  For what a revocation ends anyway, as connections.
        """

    async def authenticate_session(self, secret: str) -> Principal:
        """The same of a session cookie, whose use lets the session last longer."""


class Commands(Protocol):
    """The commands of `wire.COMMANDS`."""

    def run(self, principal: Principal, name: str, args: Command) -> Awaitable[dict[str, Any]]:
        """The `result` of OK: {conv, seq, tip, own_tok, att, n?, inbox, noop?, warnings?}.

        To be awaited; refuses there or at once.
        """


class Reads(Protocol):
    """What a connection may read; every method checks the principal's membership."""

    async def page(
        self, principal: Principal, *, inbox: str, view: str, after: str, n: int
    ) -> dict[str, Any]:
        """{rows, next, seq, tip}; `after` "" is the beginning."""

    async def history(
        self, principal: Principal, *, conv: str, before: int, n: int
    ) -> dict[str, Any]:
        """{row, messages, next, seq}; `before` 0 is the newest."""

    async def check(
        self, principal: Principal, *, inbox: str, positions: Sequence[tuple[int, str]]
    ) -> dict[str, Any]:
        """{missing: [[seq, tip], ...]}."""

    async def seen(self, principal: Principal, *, conv: str, att: str) -> bool:
        """Mark as seen as of `att`; False when it had no effect."""


class Groups(Protocol):
    """How copies of a bot share inboxes."""

    async def share(self, principal: Principal, asked: Group) -> dict[str, Any]:
        """{shares: [[inbox, 0, share] or [inbox, number of the error, None], ...]}.

        A share is {gen, epoch, seq, tip, past, mine, asked, lost, copies, done}.
        """


class Attendance(Protocol):
    """Who is there, over all nodes, as far as sockets are concerned."""

    def came(self, user: str) -> None:
        """The user's first connection to this node."""

    def went(self, user: str) -> None:
        """The user's last connection to this node has ended."""

    def shown(self) -> dict[str, str]:
        """What everybody may see of everybody who is not offline."""


class OrgListener(Protocol):
    """Told by the directory, synchronously and in the order of the organisation's log."""

    def org_frame(self, users: frozenset[str] | None, kind: str, data: dict[str, Any], /) -> None:
        """Send ORG [kind, data] to these users' connections, None: to everybody's."""

    def grants_changed(self, user: str) -> None:
        """`Directory.inboxes_of(user)` may answer something else now."""

    def revoked(self, *, user: str, token: str, close: int) -> None:
        """Close the user's connections (only those of `token` unless "") with `wire.Close`."""


class Directory(Protocol):
    """The node's copy of the organisation, following its log."""

    def state_for(self, user: str) -> dict[str, Any]:
        """What of ORG `state` is the user's own: {organisation, user, inboxes}."""

    def everybody(self) -> list[dict[str, Any]]:
        """Its `users`, the same for everybody; whatever changes is told to the listeners."""

    def inboxes_of(self, user: str) -> frozenset[str]:
        """Inboxes the user may see (an admin: every one)."""

    def joined_by(self, user: str) -> frozenset[str]:
        """Inboxes whose badges the user gets: the explicitly joined."""

    def listen(self, listener: OrgListener) -> Callable[[], None]:
        """Register; the returned callable ends it."""

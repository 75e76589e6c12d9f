"""What the HTTP endpoints work with, put together by the composition root."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from batonbox_server.hub.probe import Told
from batonbox_server.service.account_admin import AccountAdmin
from batonbox_server.service.accounts import Accounts
from batonbox_server.service.administration import Administration
from batonbox_server.service.audit import Audit
from batonbox_server.service.commands import InboxCommands
from batonbox_server.service.contacts import Contacts
from batonbox_server.service.diagnosis import Diagnosis
from batonbox_server.service.directory import LiveDirectory
from batonbox_server.service.export_thread import ThreadExport
from batonbox_server.service.identity import TokenIdentity
from batonbox_server.service.intake import Intake
from batonbox_server.service.interactions import Interactions
from batonbox_server.service.invites import Invites
from batonbox_server.service.live import Live
from batonbox_server.service.media import Media
from batonbox_server.service.oidc import Oidc
from batonbox_server.service.presence import LivePresence
from batonbox_server.service.race import Races
from batonbox_server.service.reads import InboxReads
from batonbox_server.service.reassign import Reassign
from batonbox_server.service.retention import Retention
from batonbox_server.service.rooms import Rooms
from batonbox_server.service.search import Search
from batonbox_server.service.setup import Setup
from batonbox_server.service.sign_in import SignIn
from batonbox_server.service.unrouted import Unrouted
from batonbox_server.service.webhooks import Webhooks
from batonbox_server.session.ports import Principal
from batonbox_server.store.directory_port import DirectoryStore
from batonbox_server.store.port import InboxStore

from .admission import LoadShedder
from .origins import Origins
from .rates import RequestRates

__all__ = ["Admission", "Exports", "Limits", "Phones", "Readiness", "Services"]


class Admission(Protocol):
    """The rate limit of commands, per user, shared with the websocket's."""

    def retry_ms(self, principal: Principal) -> int:
        """Take one command; 0: go on, else how long to wait."""


class Phones(Protocol):
    """The simulated phones of the loopback carrier."""

    async def messages(self, *, to: str) -> list[dict[str, Any]]: ...

    async def fail_next(self, *, to: str, count: int, permanent: bool, reason: str) -> None: ...


class Exports(Protocol):
    """Files of what an admin may see; each export is in the audit log. Raises Refused."""

    async def organisation(self, principal: Principal) -> AsyncIterator[bytes]: ...

    async def thread(
        self, principal: Principal, *, conv: str, form: str, zone: str
    ) -> ThreadExport: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings that bound requests."""

    body_max_bytes: int
    text_max_chars: int


@dataclass(slots=True)
class Readiness:
    """Whether this node should get traffic.

    `channel`: whether what it publishes comes back. `archive`: `ok`, `none`, or why nothing is
    moved there; `load`: `calm`, `busy` or `overloaded`.
    The node serves all the same.
    """

    engine: Callable[[], dict[str, Any]]
    degraded: Callable[[], bool]
    counts: Callable[[], Mapping[str, float]]
    archive: Callable[[], str]
    load: Callable[[], str]
    channel: Callable[[], Told]
    draining: bool = False
    started: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """Everything endpoints call; `phones`, `races` and `webhook_secret` only with those carriers.

    `demo`: this server shows itself, on one's own machine (`serve --demo`). `build` names what
    clients should have loaded, as WELCOME does. `metrics`: of all workers, where this is one.
    """

    store: InboxStore
    organisation: DirectoryStore
    directory: LiveDirectory
    administration: Administration
    identity: TokenIdentity
    sign_in: SignIn
    setup: Setup
    invites: Invites
    commands: InboxCommands
    reads: InboxReads
    rooms: Rooms
    interactions: Interactions
    intake: Intake
    media: Media
    unrouted: Unrouted
    diagnosis: Diagnosis
    webhooks: Webhooks
    contacts: Contacts
    exports: Exports
    search: Search
    audit: Audit
    retention: Retention
    live: Live
    presence: LivePresence
    reassign: Reassign
    admission: Admission
    limits: Limits
    readiness: Readiness
    accounts: Accounts
    account_admin: AccountAdmin
    shedder: LoadShedder
    rates: RequestRates
    metrics: Callable[[], Awaitable[bytes]] | None = None
    phones: Phones | None = None
    races: Races | None = None
    webhook_secret: bytes = b""
    origins: Origins = field(default_factory=Origins)
    oidc: Oidc | None = None
    demo: bool = False
    build: str = ""

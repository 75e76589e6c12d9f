"""A carrier brings customers' messages in, takes ours out, and tells what became of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol
from urllib.parse import parse_qsl

__all__ = [
    "Accepted",
    "Account",
    "Callback",
    "Carrier",
    "Heard",
    "Incoming",
    "Kind",
    "MediaLink",
    "Outbound",
    "Receipt",
    "SecretUnreadable",
    "SendFailed",
    "Unreadable",
    "Unsigned",
    "fetchable",
    "fields_of",
]

_MOST_FIELDS: Final = 500


@dataclass(frozen=True, slots=True)
class MediaLink:
    """Where a file of a message is to be fetched from; `size` in bytes, 0: unknown.

    Of ours: signed, for a day; only a path while this server has no public address. `id`: ours.
    """

    url: str
    type: str = ""
    size: int = 0
    name: str = ""
    id: str = ""


async def _nobody_has(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Outbound:
    """A message to send; `id` stays the same on every attempt, for the carrier's own dedupe.

    `status_url`: where its receipts shall come, naming it; "" when nobody can reach this server.
    `unsettled`: an earlier attempt ended without an answer, so that the carrier may have it: look
    before sending again, if it can be looked at, among what it took since `queued_ms` (epoch);
    `taken(carrier_id)` tells of what is found whether it is known as another message.
    """

    id: str
    our: str
    customer: str
    text: str
    media: tuple[MediaLink, ...] = ()
    status_url: str = ""
    unsettled: bool = False
    queued_ms: int = 0
    taken: Callable[[str], Awaitable[bool]] = _nobody_has


@dataclass(frozen=True, slots=True)
class Accepted:
    """The carrier took it; `delivered` when it also knows that it arrived."""

    carrier_id: str
    delivered: bool = False


class SendFailed(Exception):
    """The carrier refused or could not be reached; `permanent` means: do not try again.

    `retry_after_s`: it asked for a pause of so long. `unsettled`: no answer came, and the carrier
    may have the message all the same.
    """

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool,
        retry_after_s: float | None = None,
        unsettled: bool = False,
    ) -> None:
        self.reason = reason
        self.permanent = permanent
        self.retry_after_s = retry_after_s
        self.unsettled = unsettled
        super().__init__(reason)


def fetchable(media: Iterable[MediaLink]) -> list[MediaLink]:
    """The links, for a carrier that fetches them; raises SendFailed when it cannot."""
    links = list(media)
    if any(link.url.startswith("/") for link in links):
        reason = "the carrier has to fetch the files from here: set BATONBOX_PUBLIC_URL"
        raise SendFailed(reason, permanent=True)
    return links


class Carrier(Protocol):
    """`send` may be called twice for one `id` after a crash: pass the id on where it can dedupe.

    `rate_per_s`: messages it takes per second, over all nodes; 0: as many as there are.
    `answers_keywords`: it answers STOP, START and HELP itself, so that we do not.
    """

    @property
    def name(self) -> str:
        """As numbers name it."""

    @property
    def rate_per_s(self) -> float: ...

    @property
    def answers_keywords(self) -> bool: ...

    async def send(self, message: Outbound) -> Accepted:
        """Hand the message over. Raises SendFailed."""

    def media_headers(self, url: str) -> dict[str, str]:
        """What to send along when fetching a customer's file there; raises SecretUnreadable.

        Nothing secret to any host but the carrier's own: a redirect is asked about anew.
        """


@dataclass(frozen=True, slots=True)
class Callback:
    """A carrier's request as it came, still to be verified; header names in lower case.

    `url`: as the carrier was told to call it, by the server's public address and never by the
    request's Host, with the query as it came; "" while the public address is not set.
    """

    method: str
    url: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def form(self) -> list[tuple[str, str]]:
        """The fields of a form in the body; empty for anything else."""
        if not self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return []
        return fields_of(self.body.decode("ascii", "replace"))

    @property
    def fields(self) -> dict[str, str]:
        """What is said in the query and in the form, the first of each name."""
        found: dict[str, str] = {}
        for name, value in [*fields_of(self.query), *self.form]:
            found.setdefault(name, value)
        return found


def fields_of(text: str) -> list[tuple[str, str]]:
    """The fields of a form or a query; none of one with more than any carrier sends.

    It is read before it is proved to be a carrier's, and to sort ten thousand takes a while.
    """
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return []


@dataclass(frozen=True, slots=True)
class Incoming:
    """A customer's message; `provider_id` is the carrier's own, the same when it comes again."""

    provider_id: str
    our: str
    customer: str
    text: str
    media: tuple[MediaLink, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an outbound message; `own_id` is `Outbound.id`, "" when it is not told."""

    carrier_id: str
    state: Literal["sent", "delivered", "failed"]
    reason: str = ""
    own_id: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """The body of the 200 with which a carrier is told that its request has been taken."""

    body: str = ""
    type: str = "text/plain"


class Unsigned(Exception):
    """The request is not proved to be the carrier's; says why, and nothing that is secret."""


class Unreadable(Exception):
    """The request is the carrier's and says nothing that can be understood; says why."""


class SecretUnreadable(Exception):
    """The account's secret cannot be had now; says why, and what to do about it."""


class Account(Carrier, Protocol):
    """A carrier account that is called back at `/v1/carriers/{name}/inbound` and `.../status`.

    `problem`: "" or what stands in the way of its working, and what to do about it.
    """

    @property
    def problem(self) -> str:
        """Raises SecretUnreadable."""

    def verify(self, request: Callback) -> None:
        """Raises Unsigned, SecretUnreadable."""

    def parse_inbound(self, request: Callback) -> tuple[Incoming | None, Heard]:
        """A verified request's message; None: nothing to keep. Raises Unreadable."""

    def parse_receipt(self, request: Callback) -> tuple[Receipt | None, Heard]:
        """A verified request's receipt; None: nothing worth noting. Raises Unreadable."""

    def inbound_url(self, base: str) -> str:
        """What to tell the carrier to call with messages, of its endpoint's public address."""

    def status_url(self, base: str, message: str) -> str:
        """What to tell it to call with receipts of a message of ours (`Outbound.id`); "": any.

        This and `inbound_url` raise SecretUnreadable where a secret is part of the address.
        """

    def setup(self, inbound_url: str) -> str:
        """What to enter at the carrier, for people; nothing of it is the account's secret."""

    async def check(self) -> str:
        """Ask the carrier whether the credentials work: "" or why they do not."""


class Kind(Protocol):
    """A kind of carrier account: what has to be configured for one, and how it is made."""

    def checked(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration as it is stored; raises ValueError that names the field."""

    def make(
        self,
        account: str,
        config: Mapping[str, Any],
        *,
        secret: Callable[[], str],
        rate_per_s: float,
    ) -> Account:
        """An account; `secret` raises SecretUnreadable."""

    async def aclose(self) -> None:
        """Close the connections."""

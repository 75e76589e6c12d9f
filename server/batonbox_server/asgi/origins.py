"""The session cookie, and from which pages a browser may use it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any, Final

from starlette.requests import HTTPConnection

from batonbox_server.domain.policy import Scope
from batonbox_server.errors import Refused
from batonbox_server.origin import Origin, Via
from batonbox_server.session.ports import Identity, Principal

__all__ = [
    "Credentials",
    "Origins",
    "address_of",
    "agent_of",
    "client_address",
    "cookie_of",
    "headers_of",
    "is_loopback",
    "own_origin",
    "set_cookie",
]

_SAFE: Final = frozenset({"GET", "HEAD"})
_SECURE: Final = frozenset({"https", "wss"})
_AGENT_MAX_CHARS: Final = 200


class Origins:
    """The server's own origin, and those that an admin added as setting `origins`."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(origin.strip().rstrip("/") for origin in allowed) - {""}

    def exact(self, scope: Mapping[str, Any]) -> bool:
        """Whether the request says it comes from a page of this server, or of an allowed origin."""
        origin = headers_of(scope).get("origin")
        return origin is not None and (origin in self._allowed or origin == own_origin(scope))

    def check(self, scope: Mapping[str, Any]) -> None:
        """For what the cookie authorises, and for signing in; raises Refused("forbidden").

        Reading needs no Origin, since browsers send none then, but one that is foreign is refused.
        """
        headers = headers_of(scope)
        if self.exact(scope):
            return
        reading = scope.get("method") in _SAFE and "origin" not in headers
        if not reading or headers.get("sec-fetch-site") == "cross-site":
            raise Refused(
                "forbidden",
                f"This takes the header Origin: {own_origin(scope)}. "
                "An admin can add other origins to `origins`; a proxy has to pass on Host and "
                "X-Forwarded-Proto. Programs send Authorization: Bearer <token> instead.",
            )


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request brought to show who it is from: a token, else the cookie.

    A connection keeps it for as long as it lasts, so it holds what counts and not the request.
    """

    bearer: str
    cookie: str
    by_token: Via
    address: str
    agent: str
    foreign: str  # why the cookie does not count, "" where it does

    @classmethod
    def of(cls, scope: Mapping[str, Any], origins: Origins) -> Credentials:
        """Those of a request."""
        headers = headers_of(scope)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        cookie, foreign = cookie_of(scope) if "cookie" in headers else "", ""
        if cookie:
            try:
                origins.check(scope)
            except Refused as refused:
                foreign = refused.message
        return cls(
            bearer=token.strip() if scheme.lower() == "bearer" else "",
            cookie=cookie,
            by_token="socket" if scope["type"] == "websocket" else "api",
            address=client_address(scope),
            agent=_agent(headers),
            foreign=foreign,
        )

    async def principal(self, identity: Identity, token: str = "") -> Principal:
        """Who it is from; `token` counts first.

        Raises Refused: `forbidden` for a cookie sent from a foreign page, and as `Identity`.
        """
        token = token or self.bearer
        if token:
            return await identity.authenticate(token)
        if not self.cookie:
            raise Refused("unauthorized", "Sign in, or send Authorization: Bearer <token>.")
        if self.foreign:
            raise Refused("forbidden", self.foreign)
        return await identity.authenticate_session(self.cookie)

    def origin(self, principal: Principal, token: str = "") -> Origin:
        """From where the principal of these credentials (and this `token`) acts."""
        return Origin(
            via=self.by_token if token or self.bearer else "web",
            address=self.address,
            token=principal.token,
            agent=self.agent,
            as_member=Scope.ADMIN not in principal.scopes,
        )


def cookie_of(scope: Mapping[str, Any]) -> str:
    """The session's secret, or nothing."""
    return HTTPConnection(dict(scope)).cookies.get(_name(scope), "")


def set_cookie(scope: Mapping[str, Any], secret: str, *, max_age_s: int) -> str:
    """The value of Set-Cookie; an age of 0 takes the cookie away."""
    cookie: SimpleCookie = SimpleCookie({_name(scope): secret})
    morsel = cookie[_name(scope)]
    morsel["path"] = "/"
    morsel["max-age"] = max_age_s
    morsel["httponly"] = True
    morsel["samesite"] = "Strict"
    if scope["scheme"] in _SECURE:
        morsel["secure"] = True
    return morsel.OutputString()


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """The request's headers; names are lower-case, the last of equals wins."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def agent_of(scope: Mapping[str, Any]) -> str:
    """What the client calls itself, cut short."""
    return _agent(headers_of(scope))


def client_address(scope: Mapping[str, Any]) -> str:
    """The client's address as it is written down."""
    host = _host(scope)
    if ":" not in host:
        return host  # an address of IPv4 has one spelling
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    return str(address.ipv4_mapped or address)


def address_of(scope: Mapping[str, Any]) -> str:
    """The client's address for counting: of IPv6 the /64 that one household has."""
    host = _host(scope)
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False).network_address)


def is_loopback(host: str) -> bool:
    """Whether it is this machine's own."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _agent(headers: Mapping[str, str]) -> str:
    return headers.get("user-agent", "")[:_AGENT_MAX_CHARS]


def _host(scope: Mapping[str, Any]) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _name(scope: Mapping[str, Any]) -> str:
    return "__Host-batonbox" if scope["scheme"] in _SECURE else "batonbox"


def own_origin(scope: Mapping[str, Any]) -> str:
    """The server's address as the request has it."""
    scheme = "https" if scope["scheme"] in _SECURE else "http"
    return f"{scheme}://{headers_of(scope).get('host', '')}"

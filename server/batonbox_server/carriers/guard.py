"""Which addresses the server may be made to connect to: none that only it can reach.

An admin names a URL; what its name resolves to is decided by whoever runs the name. So the check is
made on every address at the time of connecting, and the connection goes to the address that was
checked: a name cannot resolve to something else in between.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import httpcore2

__all__ = ["Forbidden", "GuardedBackend", "literal", "why_not"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
# Of no public use either, which not every Python knows: for protocols (a cloud's metadata among
# them), relays that are no more, documents, segment routing.
_CLOSED: Final = tuple(
    ipaddress.ip_network(net)
    for net in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20", "5f00::/16")
)


class Forbidden(httpcore2.ConnectError):
    """The name leads to an address that is not to be reached."""


def literal(host: str) -> str:
    """The address that `host` spells, in any way the resolver would read it; "" for a name."""
    try:
        return str(ipaddress.ip_address(host.strip("[]").partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))  # 127.1, 2130706433, 0x7f.0.0.1
    except OSError:
        return ""


def why_not(address: str) -> str:
    """Why this address must not be connected to; "" when it may."""
    found = ipaddress.ip_address(address.partition("%")[0])
    for inner in _meant(found):
        local = isinstance(inner, ipaddress.IPv6Address) and inner.is_site_local
        local = local or any(inner in net for net in _CLOSED)
        if local or not inner.is_global or inner.is_multicast or inner.is_reserved:
            return f"{address} is not a public address"
    return ""


def _meant(address: Address) -> Iterable[Address]:
    """The address, and the IPv4 addresses it leads to; of a translator's only where it leads."""
    if isinstance(address, ipaddress.IPv6Address) and address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour


class GuardedBackend(httpcore2.AnyIOBackend):
    """Connects to public addresses only; TLS and Host keep the name they were asked for."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """See the base; raises Forbidden, or ConnectError when no address answers."""
        last: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in await _resolved(host, port):
            reason = why_not(address)
            if reason:
                last = Forbidden(f"{host}: {reason}")
                continue
            try:
                return await super().connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
        raise last


async def _resolved(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore2.ConnectError(f"{host} cannot be resolved") from error
    return list(dict.fromkeys(str(info[4][0]) for info in found))

"""Addresses of engines: one server, servers with sentinels, a cluster; one kind of URL for all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlencode

from batonbox_server.errors import EngineUnsuitable

__all__ = ["Address", "Place", "Topology"]

Topology: TypeAlias = Literal["standalone", "sentinel", "cluster"]
Place: TypeAlias = tuple[str, int]

_URL: Final = re.compile(r"([A-Za-z+]+)://(?:([^/?#]*)@)?([^/?#@]*)(/[^?#]*)?(?:\?([^#]*))?")
_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^:\[\]]*))(?::(\d*))?")
_PORTS: Final[dict[Topology, int]] = {"standalone": 6379, "sentinel": 26379, "cluster": 6379}
_EXAMPLES: Final[dict[Topology, str]] = {
    "standalone": "redis://user:password@host:6379/0, rediss://... with TLS, or unix:///path",
    "sentinel": "redis+sentinel://user:password@host1:26379,host2:26379,host3:26379/service",
    "cluster": "redis+cluster://user:password@host1:6379,host2:6379,host3:6379",
}
_SENTINELS: Final = frozenset({"sentinel_username", "sentinel_password"})
_TLS: Final = frozenset(
    {
        "ssl_ca_certs",
        "ssl_ca_data",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_ciphers",
        "ssl_keyfile",
        "ssl_min_version",
        "ssl_password",
    }
)
_OPTIONS: Final = frozenset({"client_name", "db", "password", "socket_keepalive", "username"})
# Known to redis-py, and decided by us: an address copied from elsewhere may have them.
_DECIDED: Final = frozenset(
    {
        "decode_responses",
        "health_check_interval",
        "max_connections",
        "protocol",
        "retry_on_timeout",
        "socket_connect_timeout",
        "socket_timeout",
        "timeout",
    }
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine is, parsed; `parse` makes it.

    `places`: the server (none: a unix socket), the sentinels, or nodes of the cluster. `service`:
    what the sentinels call the primary.
    """

    topology: Topology
    places: tuple[Place, ...]
    service: str
    _scheme: str
    _user: str
    _path: str
    _options: tuple[tuple[str, str], ...]
    _sentinel_user: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL; raises EngineUnsuitable, which says what is wrong and never shows secrets."""
        match = _URL.fullmatch(url)
        topology = _topology(match[1].lower() if match else "")
        if match is None:
            raise _wrong(topology, "it is no URL")
        scheme, user, hosts, path, query = (part or "" for part in match.groups())
        scheme = scheme.lower().partition("+")[0]
        places: tuple[Place, ...] = ()
        if scheme == "unix":
            if hosts or not path:
                raise _wrong(topology, "a unix socket is named by an absolute path, after three /")
        else:
            places = tuple(_place(topology, n, text) for n, text in enumerate(hosts.split(","), 1))
        options = _options(topology, scheme, query)
        if topology == "standalone" and len(places) > 1:
            raise _wrong(
                topology,
                "several hosts need redis+sentinel:// or redis+cluster:// "
                f"({_EXAMPLES['sentinel']}; {_EXAMPLES['cluster']})",
            )
        service = ""
        if topology == "sentinel":
            service, _, rest = path.strip("/").partition("/")
            path = f"/{rest}" if rest else ""
            if not service:
                raise _wrong(topology, "after the sentinels it needs / and the service's name")
        db = dict(options).get("db", "" if scheme == "unix" else path.strip("/"))
        if not re.fullmatch(r"\d*", db):
            raise _wrong(topology, "the database is a number")
        if topology == "cluster" and db.strip("0"):
            raise _wrong(topology, "a cluster has database 0 only")
        return cls(
            topology=topology,
            places=places,
            service=unquote(service),
            _scheme=scheme,
            _user=f"{user}@" if user else "",
            _path=path,
            _options=tuple(o for o in options if o[0] not in _SENTINELS),
            _sentinel_user=_userinfo(dict(options)),
        )

    @property
    def url(self) -> str:
        """Of the one server."""
        if self._scheme == "unix":
            return f"unix://{self._user}{self._path}{self._query()}"
        (place,) = self.places
        return self.at(place)

    def at(self, place: Place) -> str:
        """The URL of one server of these, with the same credentials and options."""
        return f"{self._scheme}://{self._user}{_host(place)}{self._path}{self._query()}"

    def sentinel(self, place: Place) -> str:
        """The URL of one of the sentinels: of our options it gets those of TLS."""
        shared = tuple(option for option in self._options if option[0] in _TLS)
        return f"{self._scheme}://{self._sentinel_user}{_host(place)}{self._query(shared)}"

    def _query(self, options: tuple[tuple[str, str], ...] | None = None) -> str:
        shown = self._options if options is None else options
        return f"?{urlencode(shown)}" if shown else ""


def _topology(scheme: str) -> Topology:
    match scheme:
        case "redis+sentinel" | "rediss+sentinel":
            return "sentinel"
        case "redis+cluster" | "rediss+cluster":
            return "cluster"
        case "redis" | "rediss" | "unix" | "":
            return "standalone"
    shown = "; ".join(_EXAMPLES.values())
    raise EngineUnsuitable(f"BATONBOX_REDIS_URL begins with {scheme}://; it takes: {shown}.")


def _options(topology: Topology, scheme: str, query: str) -> tuple[tuple[str, str], ...]:
    known = _OPTIONS | (_TLS if scheme == "rediss" else frozenset())
    if topology == "sentinel":
        known |= _SENTINELS
    options = tuple(o for o in parse_qsl(query, keep_blank_values=True) if o[0] not in _DECIDED)
    for name, value in options:
        if name in known and value:
            continue
        if name in known:
            raise _wrong(topology, f"the option {name} is empty")
        if name in _TLS:
            raise _wrong(
                topology, f"the option {name} needs TLS: begin with rediss instead of redis"
            )
        if name in _SENTINELS:
            raise _wrong(topology, f"the option {name} needs redis+sentinel://")
        shown = f" {name!r}" if re.fullmatch("[a-z_]{1,40}", name) else " of that name"
        raise _wrong(topology, f"there is no option{shown}; it takes {', '.join(sorted(known))}")
    return options


def _place(topology: Topology, number: int, text: str) -> Place:
    # Never shown: where a password has a / in it, half of it is taken for a host.
    match = _HOST.fullmatch(text)
    host = (match[1] or match[2]) if match else ""
    if match is None or (not host and (topology != "standalone" or text)):
        what = f"host number {number} is no name or address with a port"
        raise _wrong(topology, f"{what}; within a password write / ? # as %2F %3F %23")
    port = int(match[3] or _PORTS[topology])
    if not 0 < port < 65536:
        raise _wrong(topology, f"host number {number} has a port that is none (1 to 65535)")
    return host or "localhost", port


def _host(place: Place) -> str:
    host, port = place
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _userinfo(options: dict[str, str]) -> str:
    user = quote(options.get("sentinel_username", ""), safe="")
    password = quote(options.get("sentinel_password", ""), safe="")
    return f"{user}:{password}@" if user or password else ""


def _wrong(topology: Topology, what: str) -> EngineUnsuitable:
    return EngineUnsuitable(f"BATONBOX_REDIS_URL: {what}. For example: {_EXAMPLES[topology]}")

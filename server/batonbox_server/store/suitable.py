"""Refusing an engine the scripts cannot rely on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from batonbox_server.errors import EngineUnavailable, EngineUnsuitable

from .resp import request

__all__ = ["Server", "check_server", "judge"]

_OLDEST: Final = {"redis": (7, 0), "valkey": (7, 2)}


@dataclass(frozen=True, slots=True)
class Server:
    """What the engine says it is; `run` names its process."""

    name: str
    version: str
    run: str = ""


async def check_server(connection: AbstractConnection) -> Server:
    """Ask for version, role and eviction policy.

    Raises:
        EngineUnavailable: a replica, as a primary is for a while after a failover.
        EngineUnsuitable: too old, or it may evict keys.
    """
    info: bytes = await request(connection, "INFO", "server")
    role: bytes = await request(connection, "INFO", "replication")
    if b"role:slave" in role:
        raise EngineUnavailable(
            "The engine is a replica, which takes no writes; BATONBOX_REDIS_URL has to lead to its "
            "primary."
        )
    try:
        policy = await request(connection, "CONFIG", "GET", "maxmemory-policy")
    except ResponseError:
        policy = []  # hosted engines often forbid CONFIG
    return judge(info.decode(), policy=policy[1].decode() if policy else None)


def judge(info: str, *, policy: str | None) -> Server:
    """The server described by `INFO server`, if it may be used; see `check_server`."""
    fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    name = "valkey" if "valkey_version" in fields else "redis"
    version = fields.get(f"{name}_version", "0.0")
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST[name]:
        raise EngineUnsuitable(
            f"The engine is {name} {version}; batonbox needs Redis ≥ 7.0 or Valkey ≥ 7.2. "
            "Upgrade it, or unset BATONBOX_REDIS_URL to use the embedded one."
        )
    if policy not in (None, "noeviction"):
        raise EngineUnsuitable(
            f"The engine evicts keys (maxmemory-policy {policy}) and would lose conversations. "
            "Set it with: CONFIG SET maxmemory-policy noeviction"
        )
    return Server(name, version, fields.get("run_id", ""))

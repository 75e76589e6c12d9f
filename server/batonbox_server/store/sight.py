"""What an engine can promise about writes, as it says itself."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["Sight", "sight_of"]

_WAITAOF: Final = (7, 2)


class Sight(NamedTuple):
    """Of several servers the worst.

    `replicas` are connected; `append_only`: it writes a file, `always`: and has it on disk before
    it answers; `knows_disk`: it has WAITAOF.
    """

    replicas: int = 0
    append_only: bool = False
    always: bool = False
    knows_disk: bool = False


def sight_of(info: bytes, appendfsync: bytes, version: str) -> Sight:
    """From INFO `replication` and `persistence` together; `appendfsync` b"": it does not say."""
    fields = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    return Sight(
        replicas=int(fields.get("connected_slaves", 0)),
        append_only=fields.get("aof_enabled") == "1",
        always=appendfsync == b"always",
        knows_disk=tuple(int(part) for part in version.split(".")[:2]) >= _WAITAOF,
    )

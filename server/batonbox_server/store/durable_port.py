"""How well a write has to last before its success is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, Protocol, TypeAlias

__all__ = ["LEVELS", "Durability", "Level", "Since"]

# In the engine's memory; in that of its replicas, too; and on its disk.
Level: TypeAlias = Literal["memory", "replica", "fsync"]
LEVELS: Final[tuple[Level, ...]] = ("memory", "replica", "fsync")

# When a write began: opaque, of `Durability.since`.
Since: TypeAlias = object


class Durability(Protocol):
    """Knows what the engine can promise, and waits until it has kept it.

    Around a write: `level`, which may refuse it, `since`, the write itself, then `confirm`.
    """

    def level(self, asked: str | None) -> Level:
        """At which level a command is confirmed that asks for this; None: it does not say.

        Raises Refused("bad_request"): this engine cannot promise it.
        """

    @property
    def own(self) -> Level:
        """What the server itself waits for before a message is its own, or leaves it.

        `replica` where the engine has replicas; never less than the least that an operator allows.
        """

    def since(self) -> Since:
        """Now, before a write that is to be confirmed."""

    async def confirm(
        self,
        level: Level,
        since: Since,
        *,
        logs: Iterable[str] = (),
        number: str = "",
        organisation: bool = False,
    ) -> None:
        """Return once everything that was answered `since` then about these things lasts.

        `logs` are ids of inboxes and rooms; `number` is one of ours; `organisation`: its records.

        Raises Refused("durability_timeout"): it took effect, and a failover may still lose it.
        """

"""How the copies of a bot share an inbox: what the service may ask of the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["GroupStore", "Said", "Share"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a copy says; see `wire.Share`, whose fields these are."""

    gen: int = 0
    at: int = 0
    tip: str = ""
    holds: Sequence[tuple[int, int, int]] = ()
    gives: Sequence[int] = ()
    done: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """A copy's share as of generation `gen`.

    Of every partition everything is handled up to `seq`, whose position is (epoch, seq, tip), and
    `past` more; `done` are (partition, seq) of `mine` further on. `mine` are (partition, generation
    in which it was given); those of them in `asked` are to be given back once nothing of them is
    under way. `lost`: "" or why events are missing that the copy may have counted on: `trimmed`,
    `epoch`.
    """

    gen: int
    epoch: str
    seq: int
    tip: str
    past: list[int]
    mine: list[tuple[int, int]]
    asked: list[int]
    lost: str
    copies: int
    done: list[tuple[int, int]]


class GroupStore(Protocol):
    """Nothing here is history: a group that no copy has spoken for in twelve hours is forgotten."""

    async def share(
        self,
        *,
        inbox: str,
        user: str,
        name: str,
        copy: str,
        lease_ms: int,
        leaving: bool,
        said: Said,
    ) -> Share:
        """The copy lives for `lease_ms` more (or leaves), and holds what the answer says.

        Two copies never hold a partition at the same time by the engine's clock, and what a copy
        says of one counts only while it holds it. A new group begins at the log's end.
        Refused: `forbidden` to who is not a member, `not_found`, `conflict` with too many copies,
        or groups.
        """

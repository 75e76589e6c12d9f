"""Who acts, and from where: set at every entrance, read where something is written down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

__all__ = ["SYSTEM", "Acting", "Origin", "Via", "act_as", "acting"]

# The page with its session; a token over HTTP; a token over the websocket; the command line on the
# server's own machine; a carrier's call; the server itself (timers, jobs, what it was told before).
Via = Literal["web", "api", "socket", "cli", "carrier", "system"]


@dataclass(frozen=True, slots=True)
class Origin:
    """From where somebody acts.

    `token` is the id of the token or session, never its secret. `as_member`: an admin who acts with
    less than an admin's rights; scripts treat them as a member.
    """

    via: Via
    address: str = ""
    token: str = ""
    agent: str = ""
    as_member: bool = False


class Acting(NamedTuple):
    """Who acts ("": nobody signed in, or the server), and from where.

    `request`: what every line of the log has that is written on its behalf; "" for none.
    """

    actor: str
    origin: Origin
    request: str = ""


SYSTEM: Final = Origin("system")
_ITSELF: Final = Acting("", SYSTEM)
# Tasks inherit it from whoever spawns them: what follows up an act is part of the act.
acting: Final[ContextVar[Acting]] = ContextVar("acting", default=_ITSELF)


@contextmanager
def act_as(actor: str, origin: Origin, request: str = "") -> Iterator[None]:
    """Whatever the block does is this actor's doing."""
    token = acting.set(Acting(actor, origin, request))
    try:
        yield
    finally:
        acting.reset(token)

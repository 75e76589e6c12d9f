"""Messages that no inbox wanted: counted, discarded, and routed once somebody says where to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from batonbox_server.errors import Refused
from batonbox_server.store.directory_port import DirectoryStore, Route

from .administration import Administration
from .intake import AWAITED, Inbound, Intake

__all__ = ["Routed", "Unrouted"]


@dataclass(frozen=True, slots=True)
class Routed:
    """How many kept messages of a number are in the inbox now, and how many are left."""

    number: str
    inbox: str
    delivered: int
    left: int


class Unrouted:
    """What `Intake` kept, in the order in which it came."""

    def __init__(
        self, organisation: DirectoryStore, administration: Administration, intake: Intake
    ) -> None:
        self._organisation = organisation
        self._administration = administration
        self._intake = intake

    async def of(self, number: str) -> list[dict[str, Any]]:
        """What is kept for a number, the oldest first."""
        return [kept for kept in await self._organisation.unrouted() if kept["to"] == number]

    async def counts(self) -> Counter[str]:
        """How many are kept, by number."""
        return Counter(kept["to"] for kept in await self._organisation.unrouted())

    async def discard(self, number: str) -> None:
        """Throw away what is kept for a number."""
        await self._organisation.discard_unrouted(number)

    async def awaited(self) -> None:
        """Deliver what is kept only because the archive could not be read; once, as `route`."""
        for kept in await self._organisation.unrouted():
            if kept["reason"] != AWAITED:
                continue
            try:
                await self._intake.receive(_inbound(kept))
            except Refused as refused:
                if refused.slug == "unavailable":
                    return  # still, or again
                continue  # un-assigned meanwhile: it waits for somebody who routes it
            await self._organisation.drop_unrouted(kept["id"])

    async def route(self, number: str, *, inbox: str) -> Routed:
        """Deliver what is kept for a number, which is assigned to `inbox` if it delivers nowhere.

        Whoever dies half-way, or does it at the same time as another, delivers nothing twice: the
        inbox knows each message by the carrier's id, and it is let go only after it is there.

        Raises:
            Refused: `bad_request` without an inbox to assign it to, `not_found` of the inbox,
                `conflict` when the number delivers elsewhere or its messaging is off.
        """
        target = await self._assigned(number, inbox=inbox)
        delivered = 0
        for kept in await self.of(number):
            try:
                await self._intake.receive(_inbound(kept))
            except Refused as refused:
                if refused.slug == "bad_request":
                    continue  # from no phone number: no inbox can have it
                if refused.slug != "number_not_routed":
                    raise
                break  # un-assigned meanwhile
            await self._organisation.drop_unrouted(kept["id"])
            delivered += 1
        return Routed(number, target, delivered, len(await self.of(number)))

    async def _assigned(self, number: str, *, inbox: str) -> str:
        route = await self._organisation.route(number)
        if route is not None and not route.messaging:
            raise Refused("conflict", f"Messaging is off for {number}; turn it on first.")
        target = _target(route, number, inbox)
        if route is None:
            await self._administration.put_number(number, inbox=target)
        elif route.delivers != target:
            await self._administration.edit_number(number, inbox=target)
        return target


def _target(route: Route | None, number: str, inbox: str) -> str:
    now = route.intended.delivers if route else ""
    if now and inbox not in ("", now):
        raise Refused(
            "conflict", f"{number} delivers to {now!r}; move it first, or leave inbox out."
        )
    if not now and not inbox:
        raise Refused("bad_request", f"inbox: {number} delivers nowhere; say where it shall.")
    return now or inbox


def _inbound(kept: dict[str, Any]) -> Inbound:
    """As the carrier brought it."""
    return Inbound(
        kept["carrier"],
        kept["id"].removeprefix(f"{kept['carrier']}:"),
        kept["to"],
        kept["from"],
        kept["text"],
        tuple(kept["media"]),
    )

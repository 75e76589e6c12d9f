"""What the outbox may ask of the store: which messages to send, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from batonbox_server.domain.model import Delivery

__all__ = ["OutboxItem", "OutboxStore", "PaceStore", "Postponed", "Settled", "Slot"]

# How a lease ended that is given back: with an answer, without one, or with nothing tried.
Postponed = Literal["", "unsettled", "free"]


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """A leased outbound message: `turn` names the lease, `attempt` counts from 1.

    `free`: how many leases were no attempts, since it had to wait its turn. `unsettled`: one of
    the attempts ended without an answer, so that the carrier may have it. `stopped`: the customer
    has opted out since it was queued, and it must not be sent. `queued_ms`: when it was queued.
    """

    conv: str
    n: int
    our: str
    customer: str
    attempt: int
    body: Any
    turn: int
    free: int = 0
    unsettled: bool = False
    stopped: bool = False
    queued_ms: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """The event's seq, 0: no change; how many messages of the conversation wait behind it."""

    seq: int
    waiting: int


class OutboxStore(Protocol):
    """The outbox of every inbox."""

    async def lease_outbox(self, *, inbox: str, lease_ms: int, n: int = 16) -> list[OutboxItem]:
        """Due messages, longest due first, at most one of a conversation; each for `lease_ms`.

        Messages of one conversation are leased in the order in which they were queued, and one only
        after the one before it has ended (`sent`, in whatever state): not while that is leased to
        anybody, postponed, or due again.  A conversation held up so takes no place among the `n`.
        """

    async def sent(
        self,
        *,
        conv: str,
        n: int,
        state: Delivery,
        carrier_id: str = "",
        reason: str = "",
        unsettled: bool = False,
        receipt: bool = False,
    ) -> Settled:
        """Record what the carrier said about a message; the next of its conversation is due.

        States only move forward; a failed message may still turn out to be delivered. `unsettled`:
        it is given up without an answer, which is remembered for when it is sent again. `receipt`:
        it is about the sending of this carrier_id: one that has failed by a receipt before can only
        be delivered after all, since the message may have been queued again.
        """

    async def postpone(
        self, *, conv: str, n: int, turn: int, after_ms: int, how: Postponed = ""
    ) -> None:
        """Give this lease back; due again after `after_ms`, if not leased anew."""

    async def sent_as(self, *, inbox: str, carrier_id: str) -> tuple[str, int] | None:
        """Which message, (conv, n), the carrier knows by this id; kept for seven days."""

    async def receipt(
        self, *, inbox: str, carrier_id: str, state: Delivery, reason: str
    ) -> Settled | None:
        """A delivery receipt by the carrier's id; None when the id is unknown here."""


@dataclass(frozen=True, slots=True)
class Slot:
    """`taken`: send it in `wait_ms`; else it is not, and to be asked for again after that."""

    taken: bool
    wait_ms: int


class PaceStore(Protocol):
    """How fast messages leave by a carrier account, over all nodes together."""

    async def take(self, *, account: str, rate_per_s: float, most_ms: int, again: bool) -> Slot:
        """The account's next free moment, unless it is further ahead than `most_ms`.

        Who is told to come later keeps a place before those who ask after them, with `again`.
        """

"""The floor of one round: its inboxes, who works there, and what they know."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .carrier import Carrier
from .ledger import Ledger
from .office import Office
from .record import CarrierName
from .sleeper import Sleeper
from .truth import Reader
from .witness import Witness

__all__ = ["CUSTOMERS", "Floor"]

CUSTOMERS: Final = 24  # per inbox; each is one conversation
_TOKENS_KEPT: Final = 8
_AHEAD_MS: Final = 3_600_000


@dataclass(slots=True)
class Floor:
    """`numbers`: ours, by inbox. `movable`: users whose memberships may change."""

    round: int
    numbers: dict[str, str]
    movable: Sequence[str]
    witnesses: Sequence[Witness]
    sleepers: Sequence[Sleeper]
    office: Office
    carrier: Carrier
    ledger: Ledger
    reader: Reader
    _moving: set[tuple[str, str]] = field(default_factory=set)
    _said: int = 0
    _written: int = 0
    _tokens: dict[str, list[str]] = field(default_factory=dict)

    @property
    def inboxes(self) -> list[str]:
        """Of this round."""
        return list(self.numbers)

    def any_witness(self, rng: random.Random) -> Witness:
        """Somebody."""
        return self.witnesses[rng.randrange(len(self.witnesses))]

    def text(self) -> str:
        """Something nobody has written before."""
        self._written += 1
        return f"reply {self.round}.{self._written}"

    async def says(self, rng: random.Random, inbox: str, carrier: CarrierName = "loopback") -> str:
        """One of the inbox's customers writes; the conversation, "" when it never got through."""
        self._said += 1
        customer = f"+1905555{1000 + rng.randrange(CUSTOMERS)}"
        return await self.carrier.say(
            self.ledger,
            rng,
            carrier=carrier,
            inbox=inbox,
            our=self.numbers[inbox],
            customer=customer,
            text=f"said {self.round}.{self._said}",
        )

    async def moves(self, rng: random.Random, away_s: float) -> None:
        """Somebody is put out of an inbox, and let in again; one change of a person at a time."""
        free = [
            (inbox, user)
            for inbox in self.inboxes
            for user in self.movable
            if (inbox, user) not in self._moving
        ]
        if not free:
            return
        inbox, user = rng.choice(free)
        self._moving.add((inbox, user))
        try:
            await self._member(rng, inbox, user, on=False)
            await asyncio.sleep(away_s)
            await self._member(rng, inbox, user, on=True)
        finally:
            self._moving.discard((inbox, user))

    async def _member(self, rng: random.Random, inbox: str, user: str, *, on: bool) -> None:
        async def settled() -> bool:
            members = await self.reader.members(inbox)
            return members is not None and (user in members) is on

        await self.office.member(self.ledger, rng, inbox=inbox, user=user, on=on, settled=settled)

    def rows(self, witness: Witness, inbox: str, **wanted: Any) -> list[dict[str, Any]]:
        """The rows that a witness knows and that are as wanted."""
        return [
            row
            for row in witness.follows[inbox].rows.values()
            if all(row.get(name) == value for name, value in wanted.items())
        ]

    def pick(
        self, rng: random.Random, witness: Witness, inbox: str, **wanted: Any
    ) -> dict[str, Any] | None:
        """One of them."""
        rows = self.rows(witness, inbox, **wanted)
        return rng.choice(rows) if rows else None

    async def owned(self, rng: random.Random) -> tuple[Witness, str, str] | None:
        """A witness, a conversation that its user owns, and the token: taken on if need be."""
        witness, inbox = self.any_witness(rng), rng.choice(self.inboxes)
        row = self.pick(rng, witness, inbox, status="assigned", assignee=witness.user)
        if row is not None:
            self.remember(row["id"], row["own_tok"])
            return witness, row["id"], row["own_tok"]
        row = self.pick(rng, witness, inbox, status="unassigned")
        conv = row["id"] if row is not None else await self.says(rng, inbox)
        if not conv:
            return None
        answer = await witness.command("assign", inbox=inbox, conv=conv)
        if not answer.ok:
            return None
        token = str(answer.reply["own_tok"])
        self.remember(conv, token)
        return witness, conv, token

    @staticmethod
    def ahead_ms() -> int:
        """When a snooze ends: not in this round."""
        return round(1000 * time.time()) + _AHEAD_MS

    def remember(self, conv: str, token: str) -> None:
        """A token that is or was good."""
        known = self._tokens.setdefault(conv, [])
        if token not in known:
            known.append(token)
            del known[:-_TOKENS_KEPT]

    def stale(self, rng: random.Random, conv: str, token: str) -> str:
        """An older token of the conversation, or this one where there is none."""
        old = [known for known in self._tokens.get(conv, []) if known != token]
        return rng.choice(old) if old else token

"""What people and customers do in a round; each `turn` is one small scene."""

from __future__ import annotations

import asyncio
import random
from typing import ClassVar, Final, Protocol

from .floor import Floor
from .record import CarrierName

__all__ = ["WORKLOADS", "Workload"]

_RACERS_MOST: Final = 5
_HOPS_MOST: Final = 4
_BURST_MOST: Final = 6
_SOMETIMES: Final = 0.25


class Workload(Protocol):
    """A kind of load."""

    name: ClassVar[str]

    async def turn(self, floor: Floor, rng: random.Random) -> None:
        """Play one scene to its end; what is refused is no fault."""
        ...


class Race:
    """Several people want the same conversation at once; the winner may answer and finish."""

    name: ClassVar[str] = "race"

    async def turn(self, floor: Floor, rng: random.Random) -> None:
        """See Workload."""
        inbox = rng.choice(floor.inboxes)
        row = floor.pick(rng, floor.any_witness(rng), inbox, status="unassigned")
        conv = row["id"] if row is not None else await floor.says(rng, inbox)
        if not conv:
            return
        many = min(rng.randint(2, _RACERS_MOST), len(floor.witnesses))
        racers = rng.sample(list(floor.witnesses), many)
        answers = await asyncio.gather(
            *(racer.command("assign", inbox=inbox, conv=conv) for racer in racers)
        )
        for racer, answer in zip(racers, answers, strict=True):
            if not answer.ok:
                continue
            token = str(answer.reply["own_tok"])
            floor.remember(conv, token)
            if rng.random() < 2 * _SOMETIMES:
                text = floor.text()
                await racer.command("reply", inbox=inbox, conv=conv, text=text, own_tok=token)
            if rng.random() < 2 * _SOMETIMES:
                await racer.command("done", inbox=inbox, conv=conv, own_tok=token)


class Transfers:
    """A conversation goes from hand to hand, and back; now and then under a token that is stale."""

    name: ClassVar[str] = "transfers"

    async def turn(self, floor: Floor, rng: random.Random) -> None:
        """See Workload."""
        found = await floor.owned(rng)
        if found is None:
            return
        owner, conv, token = found
        inbox = conv.partition(".")[0]
        for _ in range(rng.randint(1, _HOPS_MOST)):
            others = [w for w in floor.witnesses if w.user != owner.user]
            to = rng.choice(others)
            given = floor.stale(rng, conv, token) if rng.random() < _SOMETIMES else token
            answer = await owner.command(
                "transfer", inbox=inbox, conv=conv, to=to.user, own_tok=given
            )
            if not answer.ok:
                return
            owner, token = to, str(answer.reply["own_tok"])
            floor.remember(conv, token)
        verb = rng.choice(("return", "done", "undo", "snooze"))
        until_ms = floor.ahead_ms() if verb == "snooze" else None
        await owner.command(verb, inbox=inbox, conv=conv, own_tok=token, until_ms=until_ms)


class Replies:
    """The owner answers, several times at once; some answers are sent again with their ids."""

    name: ClassVar[str] = "replies"

    async def turn(self, floor: Floor, rng: random.Random) -> None:
        """See Workload."""
        found = await floor.owned(rng)
        if found is None:
            return
        owner, conv, token = found
        inbox = conv.partition(".")[0]
        cids = [f"{owner.name}:r{rng.getrandbits(64):016x}" for _ in range(rng.randint(1, 4))]
        texts = {cid: floor.text() for cid in cids}

        async def replies(cid: str) -> None:
            await owner.command(
                "reply", inbox=inbox, conv=conv, cid=cid, text=texts[cid], own_tok=token
            )

        await asyncio.gather(*(replies(cid) for cid in cids))
        if rng.random() < _SOMETIMES:
            await replies(rng.choice(cids))


class Notes:
    """Notes, marks of having seen something, and taking them back."""

    name: ClassVar[str] = "notes"

    async def turn(self, floor: Floor, rng: random.Random) -> None:
        """See Workload."""
        witness, inbox = floor.any_witness(rng), rng.choice(floor.inboxes)
        row = floor.pick(rng, witness, inbox)
        if row is None:
            return
        conv = str(row["id"])
        match rng.randrange(4):
            case 0:
                witness.saw(conv, str(row["att"]))
            case 1:
                await witness.command("unread", inbox=inbox, conv=conv)
            case _:
                await witness.command("note", inbox=inbox, conv=conv, text=floor.text())


class Members:
    """Somebody is put out of an inbox, and let in again."""

    name: ClassVar[str] = "members"

    async def turn(self, floor: Floor, rng: random.Random) -> None:
        """See Workload."""
        await floor.moves(rng, away_s=rng.uniform(0.0, 1.0))
        await asyncio.sleep(rng.uniform(0.0, 1.0))


class Inbound:
    """Customers write, several at once, half of the times by way of a carrier that signs."""

    name: ClassVar[str] = "inbound"

    async def turn(self, floor: Floor, rng: random.Random) -> None:
        """See Workload."""
        inbox = rng.choice(floor.inboxes)
        many = rng.randint(1, _BURST_MOST)
        carrier: CarrierName = rng.choice(("loopback", "webhook"))
        await asyncio.gather(*(floor.says(rng, inbox, carrier) for _ in range(many)))


class Storms:
    """Connections break, many at once, and everybody is back at once."""

    name: ClassVar[str] = "storms"

    async def turn(self, floor: Floor, rng: random.Random) -> None:
        """See Workload."""
        share = rng.uniform(0.2, 1.0)
        for witness in floor.witnesses:
            if rng.random() < share:
                witness.line.cut()
        await asyncio.sleep(rng.uniform(0.5, 2.0))


WORKLOADS: Final[dict[str, Workload]] = {
    load.name: load
    for load in (Race(), Transfers(), Replies(), Notes(), Members(), Inbound(), Storms())
}

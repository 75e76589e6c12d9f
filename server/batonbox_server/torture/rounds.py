"""One round: load and faults by the plan, then rest, then the truth."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog

from batonbox_server.errors import BatonboxError, EngineUnavailable
from batonbox_server.tasks import cancel_all, spawn

from .floor import Floor
from .ledger import Ledger
from .nemeses import NEMESES
from .plan import Blow, Round
from .record import Fault, Sample
from .site import ADMIN, USERS, Grounds
from .sleeper import Sleeper
from .witness import Witness
from .workloads import WORKLOADS

__all__ = ["Played", "play"]

_log = structlog.get_logger(__name__)
_INBOXES: Final = 2
_CLIENTS_EACH: Final = 2
_SLEEPERS: Final = 4
_OPEN_S: Final = 30.0
_WHOLE_S: Final = 60.0
_SCENE_S: Final = 40.0  # of the load's last scenes, which give up after 25 s
_REST_S: Final = 45.0
_CHECKS_S: Final = 10.0
_BADGES_S: Final = 5.0
_POLL_S: Final = 0.1
_PAUSE_S: Final = 0.4  # between two scenes, on average
_FINISH_S: Final = 60.0


@dataclass(slots=True)
class Played:
    """How a round went: `rest_s` from the end of faults and load until everybody was at the top of
    logs that moved no more, None: never; `skipped`: nemeses that found nothing to strike.
    """

    rest_s: float | None
    skipped: list[str]


async def play(
    one: Round, grounds: Grounds, ledger: Ledger, *, dur: str, told: Callable[[str], None]
) -> Played:
    """Play a round into the ledger, its truths included; `told` what is under way.

    Raises Unready or EngineUnavailable: the site cannot be used any more.
    """
    ledger.begin()
    told("opening")
    await _until(grounds.stage.whole, within_s=_WHOLE_S, what="the engines did not come back")
    async with _opened(one, grounds, ledger, dur) as floor:
        told(", ".join(blow.nemesis for blow in one.blows) or "no fault")
        skipped = await _strain(one, grounds, floor)
        calm_s = time.monotonic()
        told("coming to rest")
        rest_s = await _rest(floor, grounds, calm_s)
        await _settled(floor, grounds)
        for inbox in floor.inboxes:
            ledger.add(await grounds.reader.truth(inbox, [ADMIN, *USERS]))
        return Played(rest_s, skipped)


@asynccontextmanager
async def _opened(one: Round, grounds: Grounds, ledger: Ledger, dur: str) -> AsyncIterator[Floor]:
    """New inboxes, and everybody connected and following them."""
    numbers = {
        f"r{one.number}x{at}": f"+1416{one.number % 1000:03}{1000 + at}"
        for at in range(1, _INBOXES + 1)
    }
    for inbox, number in numbers.items():
        body = {"id": inbox, "name": inbox, "members": [ADMIN, *USERS], "numbers": [number]}
        await grounds.office.call("POST", "/v1/admin/inboxes", body)
    grounds.stage.inboxes, grounds.stage.alone = list(numbers), len(one.blows) == 1
    rng = random.Random(f"{one.seed} clients")  # noqa: S311 - it shall be repeatable
    witnesses = [
        Witness(
            f"{user}-{one.number}.{at}",
            user,
            token,
            list(numbers),
            doors=grounds.doors,
            ledger=ledger,
            rng=random.Random(rng.getrandbits(64)),  # noqa: S311
            dur=dur,
        )
        for user, token in grounds.tokens.items()
        for at in range(_CLIENTS_EACH)
    ]
    sleepers = [
        Sleeper(
            grounds.tokens[ADMIN],
            list(numbers),
            grounds.doors,
            random.Random(rng.getrandbits(64)),  # noqa: S311
        )
        for _ in range(_SLEEPERS)
    ]
    tasks: set[asyncio.Task[Any]] = set()
    try:
        for sleeper in sleepers:
            spawn(tasks, sleeper.run(), name="torture-sleeper")
        for witness in witnesses:
            spawn(tasks, witness.run(), name=f"torture-{witness.name}")

        async def there() -> bool:
            return all(w.stands(inbox) for w in witnesses for inbox in numbers)

        await _until(there, within_s=_OPEN_S, what="clients could not subscribe")
        yield Floor(
            one.number,
            numbers,
            USERS[1:],
            witnesses,
            sleepers,
            grounds.office,
            grounds.carrier,
            ledger,
            grounds.reader,
        )
    finally:
        await cancel_all(tasks)


async def _strain(one: Round, grounds: Grounds, floor: Floor) -> list[str]:
    """Load and faults; returns when both have ended."""
    skipped: list[str] = []
    tasks: set[asyncio.Task[Any]] = set()
    end_s = time.monotonic() + one.seconds
    try:
        loads = [
            spawn(tasks, _load(name, at, one.seed, floor, end_s), name=f"torture-{name}")
            for name, weight in one.workloads.items()
            for at in range(weight)
        ]
        sampling = spawn(tasks, _samples(grounds, floor), name="torture-samples")
        strikes = [
            spawn(tasks, _strike(blow, grounds, floor.ledger, skipped), name=blow.nemesis)
            for blow in one.blows
        ]
        if strikes:
            await asyncio.gather(*strikes)
        await asyncio.sleep(max(0.0, end_s - time.monotonic()))
        sampling.cancel()
        ended, _ = await asyncio.wait(loads, timeout=_SCENE_S)
        for load in ended:
            load.result()  # a fault of the tool's ends the run
    finally:
        await cancel_all(tasks)
    return skipped


async def _load(name: str, at: int, seed: int, floor: Floor, end_s: float) -> None:
    workload, rng = WORKLOADS[name], random.Random(f"{seed} {name} {at}")  # noqa: S311
    while time.monotonic() < end_s and not floor.ledger.full:
        await workload.turn(floor, rng)
        await asyncio.sleep(rng.uniform(0.0, 2 * _PAUSE_S))


async def _strike(blow: Blow, grounds: Grounds, ledger: Ledger, skipped: list[str]) -> None:
    await asyncio.sleep(blow.at_s)
    rng = random.Random(blow.seed)  # noqa: S311
    nemesis = NEMESES[blow.nemesis](grounds.stage, rng)
    began_ns = time.monotonic_ns()
    try:
        target = await nemesis.begin()
        await asyncio.sleep(blow.for_s if target else 0.0)
    finally:
        async with asyncio.timeout(_FINISH_S):
            await nemesis.finish()
    if not target:
        skipped.append(blow.nemesis)
        return
    ended_ns = time.monotonic_ns()
    detail = nemesis.detail
    ledger.add(
        Fault(kind=blow.nemesis, target=target, began_ns=began_ns, ended_ns=ended_ns, detail=detail)
    )


async def _samples(grounds: Grounds, floor: Floor) -> None:
    while True:
        for node, relay in zip(grounds.stage.nodes, grounds.stage.front, strict=True):
            floor.ledger.add(
                Sample(
                    node=node.name,
                    at_ns=time.monotonic_ns(),
                    resident_bytes=node.resident_bytes(),
                    connections=relay.open,
                    stalled=sum(s.asleep_at == node.name for s in floor.sleepers),
                )
            )
        await asyncio.sleep(1.0)


# Rest


async def _rest(floor: Floor, grounds: Grounds, calm_s: float) -> float | None:
    """Until everybody is at the top and nothing is on its way; how long after `calm_s`."""
    while time.monotonic() < calm_s + _REST_S:
        at_s = time.monotonic()
        if await _at_rest(floor, grounds):
            return at_s - calm_s
        await asyncio.sleep(_POLL_S)
    _log.warning("torture_no_rest", round=floor.round)
    return None


async def _at_rest(floor: Floor, grounds: Grounds) -> bool:
    for inbox in floor.inboxes:
        if await grounds.reader.waiting(inbox) != 0:
            return False
        members = await grounds.reader.members(inbox)
        top = await grounds.reader.head(inbox)
        if top is None or members is None:
            return False
        if any(w.stands(inbox) != top for w in floor.witnesses if w.user in members):
            return False
    return True


async def _settled(floor: Floor, grounds: Grounds) -> None:
    """Answers to CHECK have come, and badges: both are late for other reasons than events."""
    for witness in floor.witnesses:
        witness.check()

    async def checked() -> bool:
        return not any(w.checking for w in floor.witnesses)

    async def shown() -> bool:
        return await _badges_true(floor, grounds)

    # What does not come about is seen by the checks.
    with contextlib.suppress(EngineUnavailable):
        await _until(checked, within_s=_CHECKS_S, what="CHECK was not answered")
    with contextlib.suppress(EngineUnavailable):
        await _until(shown, within_s=_BADGES_S, what="badges were wrong")


async def _badges_true(floor: Floor, grounds: Grounds) -> bool:
    for inbox in floor.inboxes:
        members = await grounds.reader.members(inbox) or {}
        for user in [user for user, standing in members.items() if standing["joined"]]:
            try:
                totals = await grounds.reader.totals(inbox, user)
            except BatonboxError:
                return False
            shown = [w.follows[inbox].badge for w in floor.witnesses if w.user == user]
            if any(badge != totals for badge in shown):
                return False
    return True


async def _until(holds: Callable[[], Awaitable[bool]], *, within_s: float, what: str) -> None:
    deadline_s = time.monotonic() + within_s
    while not await holds():
        if time.monotonic() > deadline_s:
            raise EngineUnavailable(f"{what} within {within_s:.0f} s")
        await asyncio.sleep(_POLL_S / 2)

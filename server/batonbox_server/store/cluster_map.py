"""Which primary of a cluster serves which slot, as the cluster's nodes tell it."""

from __future__ import annotations

import asyncio
import random
from binascii import crc_hqx
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from redis.exceptions import RedisError, ResponseError

from batonbox_server.errors import BatonboxError, EngineUnavailable, EngineUnsuitable
from batonbox_server.tasks import cancel_all, spawn

from .address import Address, Place
from .resp import close_connection, open_connection, request

__all__ = ["SLOTS", "ClusterMap", "slot_of"]

SLOTS: Final = 16384
# A frozen node answers nothing: several are asked at once, and none is waited for longer.
_ASKED_AT_ONCE: Final = 3
_ANSWER_S: Final = 1.0
_UNTOLD: Final = frozenset({"", "?"})


@lru_cache(maxsize=65_536)
def slot_of(key: str | bytes) -> int:
    """The slot of a key, which its hash tag decides where it has one."""
    raw = key.encode() if isinstance(key, str) else key
    _, opened, rest = raw.partition(b"{")
    tag, closed, _ = rest.partition(b"}")
    return crc_hqx(tag if opened and closed and tag else raw, 0) % SLOTS


@dataclass(frozen=True, slots=True)
class _Owner:
    """A primary; `epoch`: when it got its slots, by the cluster's own count."""

    place: Place
    node: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class _View:
    """What one node says."""

    ranges: Sequence[tuple[int, int, _Owner]]
    nodes: frozenset[bytes]
    places: frozenset[Place]


class ClusterMap:
    """The owners of all slots, asked for again by `refresh` and corrected by `learn`.

    Any node may be asked, also one that has just come back and still tells what was true before:
    as among the nodes themselves, the higher configuration epoch wins.  Whoever sets `wanted` asks
    for a `refresh` soon, by whoever keeps the map up to date.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._owners: list[_Owner | None] = [None] * SLOTS
        self._places: frozenset[Place] = frozenset()
        self._listeners: list[Callable[[int | None], None]] = []
        self.wanted = asyncio.Event()

    def owner(self, slot: int) -> Place | None:
        """The primary of a slot; None: nobody has said so far that there is one."""
        owner = self._owners[slot]
        return owner.place if owner else None

    def owners(self) -> list[Place | None]:
        """`owner` of each slot."""
        return [owner.place if owner else None for owner in self._owners]

    def url(self, place: Place) -> str:
        """Of one node, with the cluster's credentials and options."""
        return self._address.at(place)

    def listen(self, told: Callable[[int | None], None]) -> None:
        """`told(slot)` whenever that slot has got another owner; None: any number of slots."""
        self._listeners.append(told)

    def learn(self, slot: int, place: Place) -> None:
        """A node that was asked for the slot named its owner; others may have moved with it."""
        self.wanted.set()
        if self.owner(slot) != place:
            self._owners[slot] = _Owner(place, b"", 0)
            self._tell(slot)

    async def refresh(self) -> None:
        """Ask the nodes, and believe the first that answers.

        Raises:
            EngineUnavailable: none answers.
            EngineUnsuitable: it is no cluster, or refuses our credentials.
        """
        seeds = self._address.places
        known = sorted(self._places)
        asked = random.sample(known, len(known))
        asked += [seed for seed in seeds if seed not in self._places]
        error: BatonboxError | None = None
        for first in range(0, len(asked), _ASKED_AT_ONCE):
            some = asked[first : first + _ASKED_AT_ONCE]
            tasks: set[asyncio.Task[Any]] = set()
            try:
                asking = [spawn(tasks, self._ask(place), name="cluster-ask") for place in some]
                for told in asyncio.as_completed(asking):
                    view = await told
                    if isinstance(view, _View):
                        self._take(view)
                        return
                    if not isinstance(error, EngineUnsuitable):
                        error = view
            finally:
                await cancel_all(tasks)
        raise error or EngineUnavailable("The cluster cannot be reached.")

    async def _ask(self, place: Place) -> _View | BatonboxError:
        """What a node says, or why it does not."""
        try:
            connection = await open_connection(self.url(place), timeout_s=_ANSWER_S)
        except BatonboxError as error:
            return error
        try:
            async with asyncio.timeout(_ANSWER_S):
                slots = await request(connection, "CLUSTER", "SLOTS")
                nodes = await request(connection, "CLUSTER", "NODES")
            return _view(slots, nodes.decode(), asked=place)
        except ResponseError as error:
            if "cluster support disabled" in str(error):
                return EngineUnsuitable(
                    f"The engine at {place[0]}:{place[1]} is no cluster; begin BATONBOX_REDIS_URL "
                    "with redis:// (rediss:// with TLS)."
                )
            return EngineUnavailable(f"The cluster does not say who serves what: {error}")
        except (RedisError, OSError, TimeoutError) as error:
            return EngineUnavailable(f"The cluster does not answer: {error}")
        finally:
            await close_connection(connection)

    def _tell(self, slot: int | None) -> None:
        for told in self._listeners:
            told(slot)

    def _take(self, view: _View) -> None:
        self._places, changed = view.places, False
        for first, last, told in view.ranges:
            for slot in range(first, last + 1):
                now = self._owners[slot]
                # An owner nobody knows any more belongs to a cluster that was made anew.
                if now is None or told.epoch >= now.epoch or now.node not in view.nodes:
                    self._owners[slot] = told
                    changed = changed or now is None or now.place != told.place
        if changed:
            self._tell(None)


def _view(slots: list[Any], nodes: str, *, asked: Place) -> _View:
    epochs = _epochs(nodes)
    ranges, places = [], {asked}
    for first, last, primary, *replicas in slots:
        place, node = _place(primary, asked), bytes(primary[2])
        ranges.append((first, last, _Owner(place, node, epochs.get(node, 0))))
        places |= {place, *(_place(replica, asked) for replica in replicas)}
    return _View(ranges, frozenset(epochs), frozenset(places))


def _place(told: list[Any], asked: Place) -> Place:
    """`[host, port, node id, ...]`; who does not know how it is reached is where we reached it."""
    host = (told[0] or b"").decode()
    return (asked[0] if host in _UNTOLD else host, int(told[1]))


def _epochs(nodes: str) -> dict[bytes, int]:
    """By node id; a line is: id, address, flags, primary, ping, pong, epoch, link, slots."""
    lines = [line.split() for line in nodes.splitlines()]
    return {line[0].encode(): int(line[6]) for line in lines if len(line) >= 8}

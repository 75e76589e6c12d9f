"""Who looks at which conversation, and who of them is typing: said, told on, and forgotten in time.

It stands outside the log. Each node says on the inbox's channel whom it has at a conversation, all
of them at once, and says so again regularly; what is not said again is forgotten. A node whose
first viewer of a conversation arrives asks the others.

What changes after a quiet moment is told and said at once, what follows within `_EVERY_S` together.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
import structlog

from batonbox_server import wire
from batonbox_server.errors import BatonboxError
from batonbox_server.tasks import spawn
from batonbox_server.wire import Op

from .frames import Look
from .port import VIEWING
from .viewer import Seat, Viewer

__all__ = ["Watching"]

_log = structlog.get_logger(__name__)
_VIEWING_S: Final = 25.0
_TYPING_S: Final = 6.0
_AGAIN_S: Final = 10.0
_EVERY_S: Final = 0.25  # of one conversation, connections and nodes are told at most so often
_SWEEP_S: Final = 1.0
_PUBLISH_S: Final = 5.0
_PUBLISHED_AT_ONCE: Final = 32
_TOLD_MOST: Final = 50  # people of one conversation; who is typing comes first
_NEVER_S: Final = float("-inf")

Who = dict[str, str]  # user -> "viewing" or "typing"


@dataclass(slots=True)
class _Looking:
    """One connection at a conversation; `told` is what it was told last."""

    seat: Seat
    conv: str
    until_s: float = 0.0
    typing_until_s: float = 0.0
    told: Who = field(default_factory=dict)


@dataclass(slots=True)
class _Elsewhere:
    """What another node said."""

    who: Who
    until_s: float
    typing_until_s: float

    def at(self, now_s: float) -> Who:
        """What is left of it by now."""
        return self.who if self.typing_until_s > now_s else dict.fromkeys(self.who, "viewing")


@dataclass(slots=True)
class _Room:
    """A conversation that somebody here looks at; `said` is what the other nodes know of it.

    `everybody` is what those were told who are not named in it; `next_s` is when time alone may
    change something, `flushed_s` when a change was told or said last.
    """

    channel: str
    here: dict[Viewer, _Looking] = field(default_factory=dict)
    elsewhere: dict[str, _Elsewhere] = field(default_factory=dict)
    everybody: Who = field(default_factory=dict)
    said: Who = field(default_factory=dict)
    said_at_s: float = _NEVER_S
    answered_at_s: float = _NEVER_S
    flushed_s: float = _NEVER_S
    next_s: float = 0.0
    asked: bool = False
    wanted: bool = False  # by a node that asked
    timer: asyncio.TimerHandle | None = None


class Watching:
    """One per node. A connection looks at one conversation; its seat must be confirmed.

    Nobody learns anything but through a seat at the inbox, and with the seat it ends at once.
    """

    def __init__(
        self,
        publish: Callable[[str, bytes], Awaitable[None]],
        tasks: set[asyncio.Task[Any]],
    ) -> None:
        self._publish = publish
        self._tasks = tasks
        self._node = secrets.token_hex(8)
        self._looking: dict[Viewer, _Looking] = {}
        self._rooms: dict[str, _Room] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._unsent: dict[tuple[str, bool], tuple[str, bytes]] = {}
        self._sender: asyncio.Task[Any] | None = None

    def close(self) -> None:
        """Tell nobody any more; the other nodes forget by themselves."""
        for timer in (self._sweeper, *(room.timer for room in self._rooms.values())):
            if timer is not None:
                timer.cancel()

    def look(self, seat: Seat, conv: str, *, typing: bool) -> None:
        """The connection looks at this conversation of the seat's inbox, at no other."""
        viewer, now_s = seat.viewer, _now_s()
        looking = self._looking.get(viewer)
        known = looking is not None and looking.conv == conv and looking.seat is seat
        if looking is None or not known:
            self.away(viewer)
            looking = self._looking[viewer] = _Looking(seat, conv)
        typed = looking.typing_until_s > now_s
        looking.until_s = now_s + _VIEWING_S
        looking.typing_until_s = now_s + _TYPING_S if typing else 0.0
        room = self._rooms.get(conv)
        if room is None:
            room = self._rooms[conv] = _Room(seat.follower.channel)
            self._sweep_later()
        room.here[viewer] = looking
        if not known or typed != typing:  # else it said the same again
            self._changed(conv, room)

    def away(self, viewer: Viewer) -> None:
        """The connection looks at no conversation."""
        looking = self._looking.pop(viewer, None)
        room = None if looking is None else self._rooms.get(looking.conv)
        if looking is not None and room is not None:
            room.here.pop(viewer, None)
            self._changed(looking.conv, room)

    def left(self, seat: Seat) -> None:
        """The seat is no more."""
        looking = self._looking.get(seat.viewer)
        if looking is not None and looking.seat is seat:
            self.away(seat.viewer)

    def removed(self, inbox: str, user: str) -> None:
        """The user is no member any more: they vanish from its conversations at once."""
        for conv, room in list(self._rooms.items()):
            if _inbox_of(conv) == inbox:
                for there in room.elsewhere.values():
                    there.who.pop(user, None)
                self._flush(conv, room)

    def heard(self, inbox: str, look: Look) -> None:
        """Another node's word on the inbox's channel."""
        room = self._rooms.get(look.conv)
        if room is None or look.node == self._node or _inbox_of(look.conv) != inbox:
            return  # nobody here wants to know: whoever comes asks
        now_s = _now_s()
        if look.who is None:
            self._asked(look.conv, room, now_s)
            return
        there = room.elsewhere.pop(look.node, None)
        before = {} if there is None else there.at(now_s)
        who = _first(look.who.items(), _TOLD_MOST)
        if who:
            room.elsewhere[look.node] = _Elsewhere(who, now_s + _VIEWING_S, now_s + _TYPING_S)
            room.next_s = min(room.next_s, now_s + _TYPING_S)
        if before != who:
            self._changed(look.conv, room)

    def _asked(self, conv: str, room: _Room, now_s: float) -> None:
        # The answer costs the connections here nothing, and waits for none of their pauses.
        if room.said and now_s >= room.answered_at_s + _EVERY_S:
            room.answered_at_s = now_s
            self._say(room.channel, conv, room.said)
        else:
            room.wanted = True
            self._changed(conv, room)

    # Telling: at once where it was quiet, else at the set pace

    def _changed(self, conv: str, room: _Room) -> None:
        if room.timer is not None:
            return
        due_s = room.flushed_s + _EVERY_S
        if due_s <= _now_s():
            self._flush(conv, room)
        else:
            room.timer = asyncio.get_running_loop().call_at(due_s, self._due, conv, room)

    def _due(self, conv: str, room: _Room) -> None:
        room.timer = None
        self._flush(conv, room)

    def _flush(self, conv: str, room: _Room) -> None:
        now_s = _now_s()
        _forget(room, now_s)
        here = _here(room, now_s)
        said = self._say_here(conv, room, _first(here.items(), _TOLD_MOST), now_s)
        named = _together([here, *(there.at(now_s) for there in room.elsewhere.values())])
        told = _tell(conv, room, _first(named.items(), _TOLD_MOST + 1))
        if said or told:
            room.flushed_s = now_s
        room.next_s = _next_s(room, now_s)
        if not room.here and now_s >= room.flushed_s + _EVERY_S:
            self._drop(conv, room)

    def _drop(self, conv: str, room: _Room) -> None:
        # Not sooner: who comes and goes is told at the pace of the room, not of a new one.
        if room.timer is not None:
            room.timer.cancel()
        del self._rooms[conv]

    def _say_here(self, conv: str, room: _Room, here: Who, now_s: float) -> bool:
        """To the other nodes, when it is new to them, or time to say it again."""
        again = bool(here) and now_s >= room.said_at_s + _AGAIN_S
        fresh = here != room.said or room.wanted or again
        if fresh:
            room.said, room.said_at_s, room.wanted = here, now_s, False
            self._say(room.channel, conv, here)
        if here and not room.asked:
            room.asked = True
            self._say(room.channel, conv, None)
        return fresh

    # What time brings

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        now_s = _now_s()
        for viewer in [v for v, looking in self._looking.items() if looking.until_s <= now_s]:
            self.away(viewer)
        for conv, room in [item for item in self._rooms.items() if item[1].next_s <= now_s]:
            self._flush(conv, room)
        if self._rooms:
            self._sweep_later()

    # To the other nodes

    def _say(self, channel: str, conv: str, who: Who | None) -> None:
        # What was not sent yet is replaced: only the newest word about a conversation counts.
        data = VIEWING + msgpack.packb([self._node, conv, who])
        self._unsent[conv, who is None] = (channel, data)
        if self._sender is None or self._sender.done():
            self._sender = spawn(self._tasks, self._send(), name="watching")

    async def _send(self) -> None:
        while self._unsent:
            some = list(islice(self._unsent, _PUBLISHED_AT_ONCE))
            await asyncio.gather(*(self._send_one(*self._unsent.pop(key)) for key in some))

    async def _send_one(self, channel: str, data: bytes) -> None:
        try:
            async with asyncio.timeout(_PUBLISH_S):
                await self._publish(channel, data)
        except (BatonboxError, TimeoutError) as error:
            _log.info("watching_untold", error=str(error))  # said again in a while


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _inbox_of(conv: str) -> str:
    return conv.partition(".")[0]


def _here(room: _Room, now_s: float) -> Who:
    """This node's people, each once however many connections they look from."""
    found: Who = {}
    for viewer, looking in room.here.items():
        if looking.typing_until_s > now_s:
            found[viewer.user] = "typing"
        else:
            found.setdefault(viewer.user, "viewing")
    return found


def _together(parts: list[Who]) -> Who:
    found: Who = {}
    for part in parts:
        for user, how in part.items():
            if found.get(user) != "typing":
                found[user] = how
    return found


def _first(items: Iterable[tuple[str, str]], most: int) -> Who:
    """So many of these people, those who are typing first."""
    return dict(islice(sorted(items, key=lambda item: item[1]), most))


def _tell(conv: str, room: _Room, named: Who) -> bool:
    """Whoever looks from here gets the others' states, if they are new to them.

    All who are not named themselves share one frame per codec.
    """
    everybody = _first(named.items(), _TOLD_MOST)
    if everybody != room.everybody:
        room.everybody = everybody
    frames: dict[tuple[str, str], bytes] = {}
    others: dict[str, Who] = {}
    told = False
    for viewer, looking in room.here.items():
        whose = viewer.user if viewer.user in named else ""
        if whose and whose not in others:
            others[whose] = {user: how for user, how in named.items() if user != whose}
        who = others[whose] if whose else room.everybody
        if who is looking.told or who == looking.told:
            continue
        looking.told, told = who, True
        key = (whose, viewer.subprotocol)
        if key not in frames:
            frames[key] = wire.encode([Op.TYPING, conv, who], viewer.subprotocol)
        viewer.send_encoded(Op.TYPING, conv, frames[key])
    return told


def _next_s(room: _Room, now_s: float) -> float:
    """When time alone may change what is told or said."""
    times = [room.said_at_s + _AGAIN_S] if room.said else []
    if not room.here:
        times.append(now_s)
    everything: list[_Looking | _Elsewhere] = [*room.here.values(), *room.elsewhere.values()]
    for one in everything:
        times.append(one.until_s)
        if one.typing_until_s > now_s:
            times.append(one.typing_until_s)
    return min(times, default=now_s)


def _forget(room: _Room, now_s: float) -> None:
    for node in [node for node, one in room.elsewhere.items() if one.until_s <= now_s]:
        del room.elsewhere[node]

"""Who looks at which conversation, and who of them is typing: said, told on, and forgotten in time.

It stands outside the log. Each node says on the inbox's channel whom it has at a conversation, all
of them at once, and says so again regularly; what is not said again is forgotten. A node whose
first viewer of a conversation arrives asks the others.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
import structlog

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
_EVERY_S: Final = 0.25  # connections and nodes are told at most so often
_SWEEP_S: Final = 1.0
_PUBLISH_S: Final = 5.0
_TOLD_MOST: Final = 50  # people of one conversation

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


@dataclass(slots=True)
class _Room:
    """A conversation that somebody here looks at; `said` is what the other nodes know of it."""

    channel: str
    here: dict[Viewer, _Looking] = field(default_factory=dict)
    elsewhere: dict[str, _Elsewhere] = field(default_factory=dict)
    said: Who = field(default_factory=dict)
    said_at_s: float = 0.0
    asked: bool = False
    wanted: bool = False  # by a node that asked


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
        self._due: dict[str, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._at_s = 0.0
        self._unsent: dict[tuple[str, bool], tuple[str, bytes]] = {}
        self._sender: asyncio.Task[Any] | None = None

    def close(self) -> None:
        """Tell nobody any more; the other nodes forget by themselves."""
        for timer in (self._timer, self._sweeper):
            if timer is not None:
                timer.cancel()

    def look(self, seat: Seat, conv: str, *, typing: bool) -> None:
        """The connection looks at this conversation of the seat's inbox, at no other."""
        viewer, now_s = seat.viewer, _now_s()
        looking = self._looking.get(viewer)
        if looking is None or looking.conv != conv or looking.seat is not seat:
            self.away(viewer)
            looking = self._looking[viewer] = _Looking(seat, conv)
        looking.until_s = now_s + _VIEWING_S
        looking.typing_until_s = now_s + _TYPING_S if typing else 0.0
        room = self._rooms.get(conv)
        if room is None:
            room = self._rooms[conv] = _Room(seat.follower.channel)
        room.here[viewer] = looking
        self._soon(conv)
        self._sweep_later()

    def away(self, viewer: Viewer) -> None:
        """The connection looks at no conversation."""
        looking = self._looking.pop(viewer, None)
        if looking is not None and looking.conv in self._rooms:
            self._rooms[looking.conv].here.pop(viewer, None)
            self._soon(looking.conv)

    def left(self, seat: Seat) -> None:
        """The seat is no more."""
        looking = self._looking.get(seat.viewer)
        if looking is not None and looking.seat is seat:
            self.away(seat.viewer)
            self._flush(looking.conv)

    def removed(self, inbox: str, user: str) -> None:
        """The user is no member any more: they vanish from its conversations at once."""
        for conv, room in list(self._rooms.items()):
            if _inbox_of(conv) == inbox:
                for there in room.elsewhere.values():
                    there.who.pop(user, None)
                self._flush(conv)

    def heard(self, inbox: str, look: Look) -> None:
        """Another node's word on the inbox's channel."""
        room = self._rooms.get(look.conv)
        if room is None or look.node == self._node or _inbox_of(look.conv) != inbox:
            return  # nobody here wants to know: whoever comes asks
        now_s = _now_s()
        if look.who is None:
            room.wanted = True
        elif look.who:
            some = dict(list(look.who.items())[:_TOLD_MOST])
            room.elsewhere[look.node] = _Elsewhere(some, now_s + _VIEWING_S, now_s + _TYPING_S)
        else:
            room.elsewhere.pop(look.node, None)
        self._soon(look.conv)

    # Telling, at most four times a second

    def _soon(self, conv: str) -> None:
        self._due[conv] = None
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._at_s + _EVERY_S), self._tell)

    def _tell(self) -> None:
        self._timer, self._at_s = None, _now_s()
        due, self._due = self._due, {}
        for conv in due:
            self._flush(conv)

    def _flush(self, conv: str) -> None:
        room = self._rooms.get(conv)
        if room is None:
            return
        now_s = _now_s()
        _forget(room, now_s)
        here = _here(room, now_s)
        if not room.asked and here:
            room.asked = True
            self._say(room.channel, conv, None)
        again = bool(here) and now_s - room.said_at_s >= _AGAIN_S
        if here != room.said or room.wanted or again:
            room.said, room.said_at_s, room.wanted = here, now_s, False
            self._say(room.channel, conv, here)
        everybody = _together([here, *(_there(one, now_s) for one in room.elsewhere.values())])
        for viewer, looking in room.here.items():
            others = {user: how for user, how in everybody.items() if user != viewer.user}
            others = dict(list(others.items())[:_TOLD_MOST])
            if others != looking.told:
                looking.told = others
                viewer.send_latest([Op.TYPING, conv, others])
        if not room.here:
            del self._rooms[conv]

    # What time brings

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        now_s = _now_s()
        for viewer in [v for v, looking in self._looking.items() if looking.until_s <= now_s]:
            self.away(viewer)
        for conv in list(self._rooms):
            self._flush(conv)
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
            channel, data = self._unsent.pop(next(iter(self._unsent)))
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
    return _together(
        [
            {viewer.user: "typing" if looking.typing_until_s > now_s else "viewing"}
            for viewer, looking in room.here.items()
        ]
    )


def _there(one: _Elsewhere, now_s: float) -> Who:
    if one.typing_until_s > now_s:
        return one.who
    return dict.fromkeys(one.who, "viewing")


def _together(parts: list[Who]) -> Who:
    found: Who = {}
    for part in parts:
        for user, how in part.items():
            if found.get(user) != "typing":
                found[user] = how
    return found


def _forget(room: _Room, now_s: float) -> None:
    for node in [node for node, one in room.elsewhere.items() if one.until_s <= now_s]:
        del room.elsewhere[node]

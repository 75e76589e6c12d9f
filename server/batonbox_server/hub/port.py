"""What the hub needs from outside: a log to read, a channel to listen on, somebody to write to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class HeadLike(Protocol):
    """See `store.port.Head`."""

    @property
    def epoch(self) -> str: ...
    @property
    def seq(self) -> int: ...
    @property
    def tip(self) -> str: ...
    @property
    def tip_at(self) -> str: ...
    @property
    def oldest(self) -> int: ...


class EntryLike(Protocol):
    """See `store.port.LogEntry`."""

    @property
    def seq(self) -> int: ...
    @property
    def prev(self) -> str: ...
    @property
    def frame(self) -> bytes: ...


class Logs(Protocol):
    """Reads of a log; `log` is its key prefix. `store.redis` satisfies this."""

    async def head(self, *, log: str, at: int = 0) -> HeadLike: ...

    async def range(self, *, log: str, first: int, last: int) -> Any:
        """list[EntryLike], contiguous, possibly starting later or ending earlier than asked."""

    async def board(self, *, inbox: str) -> Any:
        """`store.port.Board`."""

    async def marks(self, *, inbox: str, user: str) -> Any:
        """`store.port.Marks`."""

    async def snapshot(self, *, inbox: str, n: int = 200) -> Any:
        """`store.port.Snapshot`."""


class RoomReads(Protocol):
    """What is read of rooms; `store.rooms` satisfies this."""

    async def room_state(self, *, room: str) -> Any:
        """`store.rooms_port.RoomState`."""

    async def room_marks_of(self, *, room: str, users: Sequence[str]) -> Any:
        """`store.rooms_port.RoomMarks` by user, for each of at most 256."""

    async def index_of(self, *, user: str) -> frozenset[str]: ...


class Channel(Protocol):
    """Pub/sub without promises: messages may be lost, the log is the truth.

    The implementation calls `on_message(channel, data)`, `on_lost()` when the connection broke and
    `on_up()` once everything is subscribed again.
    """

    async def subscribe(self, channel: str) -> None:
        """Returns once the engine acknowledged."""

    async def unsubscribe(self, channel: str) -> None: ...

    async def publish(self, channel: str, data: bytes) -> None:
        """Tell every subscriber, this node too. Raises EngineUnavailable."""


# What a log publishes on its channel, written by `store/lua/lib/commit.lua`:
#
#   b"E" + n times (prev tip, 16 ASCII bytes; length, 4 bytes big-endian; EV frame)
#   b"M" + a MessagePack array: user, mv, seq, "blue", "green" or "room", conv, att, unseen
#
# and beside the log, of what is never history:
#
#   b"P" + a MessagePack array: was, version, [user, its version, since_ms, ...]  (organisation;
#          `store/lua/lib/presence.lua`): who came (since 0) and went, from one version to another
#   b"V" + a MessagePack array: node, conv, {user: "viewing" or "typing"} or nil  (inbox): all whom
#          the node has at the conversation; nil asks the other nodes for theirs
#
# E carries the events of one script, in order.  M is a private mark at log position `seq`, with
# the user's new mark version `mv`: "blue" is the key "<conv>:<att>" of the board, "green" a
# conversation assigned to the user; `unseen` tells which way it went. "room": `att` says in decimal
# digits how many of the room's posts the user has read.  A log entry `<seq>-0` holds the fields
# `f` (frame) and `p` (prev tip).
EVENTS = b"E"
MARK = b"M"
PRESENCE = b"P"
VIEWING = b"V"

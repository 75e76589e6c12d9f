"""Events as the hub holds them, and the parsing of what a log publishes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from batonbox_server import wire

from .port import EVENTS, MARK, PRESENCE, VIEWING

__all__ = [
    "Happened",
    "Look",
    "Mark",
    "Moved",
    "Published",
    "Standing",
    "chained_tip",
    "parse",
]

_PREV_BYTES: Final = 16
_LENGTH_BYTES: Final = 4
_TIP_BYTES: Final = 17  # the fixstr header 0xb0 and 16 characters


class _Head(msgspec.Struct, array_like=True, frozen=True):
    op: int
    inbox: str
    seq: int
    meta: msgspec.Raw
    body: msgspec.Raw
    tip: str


class Standing(msgspec.Struct, gc=False):
    """Where a conversation stands, as far as badges mind it."""

    status: str = ""
    assignee: str = ""
    att: str = ""


class Happened(msgspec.Struct, gc=False):
    """What an event of an inbox says to badges and notices; the rest of it is not decoded."""

    type: str
    conv: str = ""
    actor: str = ""
    user: str = ""
    role: str = ""
    joined: bool = False
    fresh: bool = False
    unseen: bool = False
    n: int = 0
    reason: str = ""
    mentions: tuple[str, ...] = ()
    before: Standing | None = None
    row: Standing | None = None


class _InboxHead(msgspec.Struct, array_like=True, frozen=True):
    op: int
    inbox: str
    seq: int
    meta: Happened


class _MarkFields(msgspec.Struct, array_like=True, frozen=True):
    user: str
    mv: int
    seq: int
    kind: str
    conv: str
    att: str
    unseen: bool


class Moved(msgspec.Struct, array_like=True, frozen=True):
    """Who came and went, from one version to another: user, version, since_ms, and so on."""

    was: int
    version: int
    flat: list[str | int]


class Look(msgspec.Struct, array_like=True, frozen=True):
    """All whom a node has at a conversation; None: it asks for the other nodes'."""

    node: str
    conv: str
    who: dict[str, str] | None


_head = msgspec.msgpack.Decoder(_Head)
_inbox_head = msgspec.msgpack.Decoder(_InboxHead, strict=False)  # logs are older than we
_mark = msgspec.msgpack.Decoder(_MarkFields, strict=False)
_moved = msgspec.msgpack.Decoder(Moved)
_look = msgspec.msgpack.Decoder(Look)


class Published(msgspec.Struct, gc=False):
    """One event: `prev` is the tip before it, `frame` the final MessagePack bytes.

    Rings keep thousands of each log. So the collector has nothing to look at here, and what is
    decoded is not kept: whoever asks wants it once, and an inbox wants little of it.
    """

    seq: int
    prev: str
    tip: str
    frame: bytes
    transcoded: bytes = b""

    @classmethod
    def of(cls, prev: str, frame: bytes) -> Published:
        """Raises msgspec.DecodeError for bytes that are no EV frame."""
        head = _head.decode(frame)
        return cls(head.seq, prev, head.tip, frame)

    @property
    def meta(self) -> dict[str, Any]:
        """What happened, decoded."""
        found: dict[str, Any] = msgspec.msgpack.decode(_head.decode(self.frame).meta)
        return found

    @property
    def happened(self) -> Happened:
        """The same of an inbox."""
        return _inbox_head.decode(self.frame).meta

    @property
    def json(self) -> bytes:
        """The frame for the JSON subprotocol, transcoded once for every client."""
        if not self.transcoded:
            self.transcoded = wire.transcode(self.frame)
        return self.transcoded

    @property
    def body(self) -> Any:
        """The opaque body, decoded."""
        return msgspec.msgpack.decode(_head.decode(self.frame).body)


@dataclass(frozen=True, slots=True)
class Mark:
    """A private mark of `user`, made when the log stood at `seq`; see `hub.port`."""

    user: str
    mv: int
    seq: int
    kind: str
    conv: str
    att: str
    unseen: bool


def parse(data: bytes) -> list[Published] | Mark | Moved | Look:
    """What was published on a log's channel. Raises ValueError (msgspec.DecodeError is one)."""
    kind = data[:1]
    if kind == EVENTS:
        return _events(data)
    rest = data[1:]
    if kind == MARK:
        fields = _mark.decode(rest)
        return Mark(*msgspec.structs.astuple(fields))
    if kind == PRESENCE:
        return _moved.decode(rest)
    if kind == VIEWING:
        return _look.decode(rest)
    raise ValueError(f"nothing that is published here: {kind!r}")


def _events(data: bytes) -> list[Published]:
    events, at = [], len(EVENTS)
    while at < len(data):
        start = at + _PREV_BYTES + _LENGTH_BYTES
        prev = data[at : at + _PREV_BYTES].decode("ascii")
        length = int.from_bytes(data[at + _PREV_BYTES : start], "big")
        at = start + length
        if at > len(data):
            raise ValueError("a truncated event")
        events.append(Published.of(prev, data[start:at]))
    return events


def chained_tip(prev: str, frame: bytes) -> str:
    """The tip that `frame` must carry after `prev`: a hash of the whole prefix (debug check)."""
    core = frame[:-_TIP_BYTES]
    return hashlib.sha1(prev.encode() + core, usedforsecurity=False).hexdigest()[:16]

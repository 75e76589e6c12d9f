"""Events as the hub holds them, and the parsing of what a log publishes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from batonbox_server import wire

from .port import EVENTS, MARK, PRESENCE, VIEWING

__all__ = ["Look", "Mark", "Moved", "Published", "chained_tip", "parse"]

_PREV_BYTES: Final = 16
_LENGTH_BYTES: Final = 4
_TIP_BYTES: Final = 17  # the fixstr header 0xb0 and 16 characters


class _Head(msgspec.Struct, array_like=True, frozen=True):
    op: int
    inbox: str
    seq: int
    meta: dict[str, Any]
    body: msgspec.Raw
    tip: str


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
_mark = msgspec.msgpack.Decoder(_MarkFields, strict=False)
_moved = msgspec.msgpack.Decoder(Moved)
_look = msgspec.msgpack.Decoder(Look)


class Published(msgspec.Struct, gc=False):
    """One event: `prev` is the tip before it, `frame` the final MessagePack bytes.

    Rings keep thousands of each log. So the collector has nothing to look at here, and what was
    decoded is let go of once it has been applied (`applied`); asked for later, it is decoded anew.
    """

    seq: int
    prev: str
    tip: str
    decoded: dict[str, Any] | None
    frame: bytes
    transcoded: bytes = b""

    @classmethod
    def of(cls, prev: str, frame: bytes) -> Published:
        """Raises msgspec.DecodeError for bytes that are no EV frame."""
        head = _head.decode(frame)
        return cls(head.seq, prev, head.tip, head.meta, frame)

    @property
    def meta(self) -> dict[str, Any]:
        """What happened."""
        found = self.decoded
        return found if found is not None else _head.decode(self.frame).meta

    def applied(self) -> None:
        """Everybody here knows what happened."""
        self.decoded = None

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
    kind, rest = data[:1], data[1:]
    if kind == MARK:
        fields = _mark.decode(rest)
        return Mark(*msgspec.structs.astuple(fields))
    if kind == PRESENCE:
        return _moved.decode(rest)
    if kind == VIEWING:
        return _look.decode(rest)
    if kind != EVENTS:
        raise ValueError(f"nothing that is published here: {kind!r}")
    return _events(rest)


def _events(data: bytes) -> list[Published]:
    events, at = [], 0
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

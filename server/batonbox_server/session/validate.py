"""Frames to typed requests; whatever is wrong with one is said by the name of its field."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from batonbox_server import wire
from batonbox_server.errors import Refused

__all__ = ["command", "id_of", "quick", "request"]

_PLACE = re.compile(r" - at `\$(?:\[(\d+)\])?(?:\.?([^`]*))`$")
_REMEDIES: Final = {
    "own_tok": "required: send the `own_tok` of the conversation's row that you decided on.",
    "seen": "required: send the `in_seq` of the conversation's row as you know it.",
}


class _Cmd(msgspec.Struct, array_like=True, frozen=True):
    """A CMD whose arguments are decoded by the command's name."""

    op: int
    id: wire.RequestId
    name: str
    args: msgspec.Raw


_cmd: Final = msgspec.msgpack.Decoder(_Cmd)
_OTHERS: Final = {
    int(op): msgspec.msgpack.Decoder(kind)
    for op, kind in wire.CLIENT_FRAMES.items()
    if kind is not wire.Cmd
}
_ARGS: Final = {name: msgspec.msgpack.Decoder(kind) for name, kind in wire.COMMANDS.items()}
_ARRAYS: Final = {0x90 + n: bytes([0x90 + n - 1]) for n in range(1, 16)}


def quick(data: bytes) -> Any:
    """A message of one well-formed MessagePack frame as its Struct, decoded once; else None.

    A CMD comes as (id, name, arguments). Whatever is unusual or wrong is for `wire.decode`,
    `request` and `command` to find out.
    """
    head = _ARRAYS.get(data[0]) if len(data) > 1 else None
    if head is None:
        return None
    try:
        if data[1] != wire.Op.CMD:
            return _OTHERS[data[1]].decode(head + data[2:])
        asked = _cmd.decode(data)
        args = _ARGS[asked.name].decode(asked.args)
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError, RecursionError):
        return None
    return (asked.id, asked.name, args) if _lack(asked.name, args) is None else None


def request(frame: wire.Frame) -> Any:
    """The frame as its Struct. Raises Refused: `unknown_op`, `bad_request`."""
    kind = wire.CLIENT_FRAMES.get(frame[0])
    if kind is None:
        raise Refused("unknown_op", f"No operation {frame[0]} is a client's to send.")
    try:
        return msgspec.convert(frame[1:], kind)
    except msgspec.ValidationError as error:
        raise Refused("bad_request", _told(error, kind)) from None


def command(name: str, args: dict[str, Any]) -> wire.Command:
    """A command's arguments. Raises Refused: `unknown_op`, `bad_request`."""
    kind = wire.COMMANDS.get(name)
    if kind is None:
        raise Refused("unknown_op", f"There is no command {name[:40]!r}.")
    try:
        found = msgspec.convert(args, kind)
    except msgspec.ValidationError as error:
        raise Refused("bad_request", _told(error, kind)) from None
    lack = _lack(name, found)
    if lack is not None:
        raise Refused("bad_request", f"{lack}: {_REMEDIES[lack]}")
    return found


def _lack(name: str, args: Any) -> str | None:
    """What a websocket command has to say, and HTTP may leave out."""
    if name in wire.FENCED and not args.own_tok:
        return "own_tok"
    return "seen" if isinstance(args, wire.Done) and args.seen is None else None


def id_of(frame: wire.Frame) -> int | None:
    """The request id an answer can name, None where there is none."""
    kind = wire.CLIENT_FRAMES.get(frame[0])
    if kind is not None and "id" not in kind.__struct_fields__:
        return None
    candidate = frame[1] if len(frame) > 1 else None
    valid = type(candidate) is int and 0 <= candidate < 2**31
    return candidate if valid else None


def _told(error: Exception, kind: type[msgspec.Struct]) -> str:
    """`field: what is wrong`, from msgspec's `what is wrong - at `$.place``."""
    text = str(error)
    found = _PLACE.search(text)
    if found is None:
        return text
    position, rest = found.groups()
    names = kind.__struct_fields__
    field = names[int(position)] if position and int(position) < len(names) else ""
    place = ".".join(part for part in (field, rest) if part)
    return f"{place}: {text[: found.start()]}" if place else text[: found.start()]

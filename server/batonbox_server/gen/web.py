"""The browser client's copy of the wire contract, as TypeScript."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final, get_type_hints

from msgspec import inspect

from batonbox_server import wire
from batonbox_server.domain import model
from batonbox_server.errors import CODES

from .tables import ROOM_MEANING, ROW_MEANING, struct_fields

__all__ = ["web_wire"]

HEADER: Final = (
    "// Generated from wire.py, errors.py and domain/model.py by `make gen`; edits are lost.\n"
)

# What the values of server frames are; SERVER_FRAMES names them, in order.
_TYPES: Final[dict[str, str]] = {
    "conn": "string",
    "user": "string",
    "ping_s": "number",
    "limits": "Record<string, number>",
    "build": "string",
    "exp": "number",
    "now_ms": "number",
    "id": "number | null",
    "result": "Record<string, unknown>",
    "code": "number",
    "slug": "string",
    "msg": "string",
    "retry_ms": "number | null",
    "cur": "Row | null",
    "inbox": "string",
    "epoch": "string",
    "seq": "number",
    "tip": "string",
    "counts": "Counts",
    "me": "Marks",
    "rows": "Row[]",
    "next": "string | number | null",
    "meta": "Meta",
    "body": "Body | null",
    "marks": "Marks",
    "blue": "number",
    "green": "number",
    "unassigned": "number",
    "reason": "string",
    "lost": "string[]",
    "after_ms": "number",
    "deadline_ms": "number",
    "deadline_s": "number",
    "status": "{ degraded: boolean }",
    "kind": "string",
    "data": "Record<string, unknown>",
    "who": 'Record<string, "viewing" | "typing">',
    "states": 'Record<string, "online" | "away" | "offline">',
    "conv": "string",
    "row": "Row",
    "messages": "Message[]",
    "room": "string",
    "state": "RoomRow | null",
    "rooms": "[RoomRow, number, number][]",
    "unread": "number",
    "mentions": "number",
    "names": "Record<string, { id: string; name: string } | null> | null",
}

_SHAPES: Final = """
export interface Counts {
  unassigned: number;
  open: number;
  done: number;
}

/** Mine as of `seq`; of the waiting ones either the unread (`blue`) or the read (`seen`). */
export interface Marks {
  seq: number;
  mv: number;
  green: string[];
  blue?: string[];
  seen?: string[];
}

export interface Before {
  status: Status;
  assignee: string;
  att: string;
}

/** What an event says besides its text; `conv` and `row` are absent for events of the inbox. */
export interface Meta {
  type: Kind;
  conv?: string;
  actor?: string;
  cid?: string;
  unseen?: boolean;
  n?: number;
  state?: Delivery;
  reason?: string;
  mentions?: string[];
  row?: Row;
  before?: Before;
  user?: string;
  role?: string;
  joined?: boolean;
  whole?: boolean;
  at_ms?: number;
}

/** A file of a message; `type` is "" and `size` 0 until it has been fetched from the carrier. */
export interface Media {
  id: string;
  type: string;
  size: number;
  name: string;
}

/** A message's, a note's or a system line's content. */
export interface Body {
  text?: string;
  media?: Media[];
  mentions?: string[];
  to?: string;
  note?: string;
  reason?: string;
  until_ms?: number;
}
"""


def web_wire() -> str:
    """The text of `web_client/src/wire.ts`."""
    parts = [
        HEADER,
        _constant("VERSION", wire.VERSION),
        _constant("JSON_SUBPROTOCOL", wire.JSON_SUBPROTOCOL),
        _numbers("Op", wire.Op),
        _numbers("Close", wire.Close),
        _close_ranges(),
        _union("Status", model.Status),
        _union("Kind", model.Kind),
        _union("Delivery", model.Delivery),
        _union("View", wire.VIEWS),
        _union("RoomKind", model.RoomKind),
        _row(),
        _room(),
        _SHAPES,
        _message(),
        *map(_frame, wire.SERVER_FRAMES),
        _frames(),
        *map(_command, wire.COMMANDS),
        _commands(),
        _errors(),
    ]
    return "".join(parts)


def _constant(name: str, value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return f"\nexport const {name} = {text};\n"


def _numbers(name: str, enum: Any) -> str:
    lines = "".join(f"  {member.name}: {int(member)},\n" for member in enum)
    return f"\nexport const {name} = {{\n{lines}}} as const;\n"


def _close_ranges() -> str:
    lines = "".join(f'  [{low}, {high}, "{says}"],\n' for low, high, says in wire.CLOSE_RANGES)
    return f"\nexport const CLOSE_RANGES = [\n{lines}] as const;\n"


def _union(name: str, values: Any) -> str:
    return f"\nexport type {name} = " + " | ".join(f'"{value}"' for value in values) + ";\n"


def _row() -> str:
    hints = get_type_hints(model.Row)
    lines = ""
    for field in fields(model.Row):
        kind = {model.Status: "Status", int: "number"}.get(hints[field.name], "string")
        lines += f"  /** {ROW_MEANING[field.name]} */\n  {field.name}: {kind};\n"
    says = "/** A conversation's state: an absolute register. */"
    return f"\n{says}\nexport interface Row {{\n{lines}}}\n"


def _room() -> str:
    hints = get_type_hints(model.RoomRow)
    lines = ""
    for field in fields(model.RoomRow):
        kind = {int: "number", model.RoomKind: "RoomKind", tuple[str, ...]: "string[]"}.get(
            hints[field.name], "string"
        )
        lines += f"  /** {ROOM_MEANING[field.name]} */\n  {field.name}: {kind};\n"
    says = "/** A room's state: an absolute register. */"
    return f"\n{says}\nexport interface RoomRow {{\n{lines}}}\n"


def _message() -> str:
    kinds = {"n": "number", "seq": "number", "at_ms": "number", "kind": "Kind",
             "state": 'Delivery | ""', "body": "Body | null"}  # fmt: skip
    lines = "".join(
        f"  {name}{'?' if name == 'reason' else ''}: {kinds.get(name, 'string')},\n"
        for name in wire.MESSAGE_FIELDS
    )
    return f"\nexport type Message = [\n{lines}];\n"


def _frame(op: int) -> str:
    names, says = wire.SERVER_FRAMES[op]
    lines = "".join(
        f"  {name.rstrip('?')}{'?' if name.endswith('?') else ''}: {_TYPES[name.rstrip('?')]},\n"
        for name in names.split()
    )
    head = f"  op: {int(op)},\n"
    return f"\n/** {says} */\nexport type {_name(op)} = [\n{head}{lines}];\n"


def _name(op: int) -> str:
    return wire.Op(op).name.capitalize() + "Frame"


def _frames() -> str:
    lines = "".join(f"\n  | {_name(op)}" for op in wire.SERVER_FRAMES)
    return f"\nexport type ServerFrame ={lines};\n"


def _command(name: str) -> str:
    lines = "".join(
        f"  {field.encode_name}{'' if field.required else '?'}: {_ts(field.type)};\n"
        for field in struct_fields(wire.COMMANDS[name])
    )
    return f"\nexport interface {_args(name)} {{\n{lines}}}\n"


def _args(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_")) + "Args"


def _commands() -> str:
    lines = "".join(f"  {name}: {_args(name)};\n" for name in wire.COMMANDS)
    fenced = ", ".join(f'"{name}"' for name in sorted(wire.FENCED))
    return (
        f"\nexport interface Commands {{\n{lines}}}\n"
        "\n/** Commands that must carry the row's own_tok. */"
        f"\nexport const FENCED = [{fenced}] as const;\n"
    )


def _ts(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.UnionType):
        return " | ".join(_ts(part) for part in kind.types)
    if isinstance(kind, inspect.ListType):
        return f"{_ts(kind.item_type)}[]"
    names = {
        inspect.NoneType: "null",
        inspect.StrType: "string",
        inspect.IntType: "number",
        inspect.BoolType: "boolean",
    }
    return names[type(kind)]


def _errors() -> str:
    lines = "".join(
        f"  {code.slug}: {{ number: {code.number}, retryable: {str(code.retryable).lower()} }},\n"
        for code in CODES.values()
    )
    return f"\nexport const ERRORS = {{\n{lines}}} as const;\n"

"""AsyncAPI 3 of the websocket `/v1/ws`, from wire.py, errors.py and domain/model.py."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final, get_type_hints

import msgspec

from batonbox_server import __version__, wire
from batonbox_server.domain import model
from batonbox_server.errors import CODES

from .tables import MESSAGE_MEANING, ROW_MEANING, doc, struct_fields
from .vectors import FRAMES

__all__ = ["asyncapi", "frame_schema"]

Json = dict[str, Any]
_REF: Final = "#/components/schemas/{name}"
_STRING: Final[Json] = {"type": "string"}
_NUMBER: Final[Json] = {"type": "integer"}
_MAP: Final[Json] = {"type": "object"}
_STRINGS: Final[Json] = {"type": "array", "items": _STRING}
_ROW: Final[Json] = {"$ref": _REF.format(name="Row")}


def _nullable(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


# What the values of server frames are; wire.SERVER_FRAMES names them, in order.
_VALUES: Final[dict[str, Json]] = {
    **dict.fromkeys(
        ["conn", "user", "build", "slug", "msg", "inbox", "epoch", "tip", "reason", "kind", "conv"],
        _STRING,
    ),
    **dict.fromkeys(["ping_s", "exp", "now_ms", "seq", "blue", "green", "unassigned"], _NUMBER),
    **dict.fromkeys(["after_ms", "deadline_ms", "deadline_s"], _NUMBER),
    **dict.fromkeys(["result", "meta", "me", "marks", "data"], _MAP),
    "code": {"$ref": _REF.format(name="Error")},
    "limits": {"type": "object", "additionalProperties": _NUMBER},
    "counts": {"type": "object", "additionalProperties": _NUMBER},
    "status": {"type": "object", "properties": {"degraded": {"type": "boolean"}}},
    "id": _nullable(_NUMBER),
    "retry_ms": _nullable(_NUMBER),
    "cur": _nullable(_ROW),
    "row": _ROW,
    "rows": {"type": "array", "items": _ROW},
    "next": _nullable({"type": ["string", "integer"]}),
    "body": _nullable(_MAP),
    "lost": _STRINGS,
    "who": {"type": "object", "additionalProperties": {"enum": ["viewing", "typing"]}},
    "states": {
        "type": "object",
        "additionalProperties": {"enum": ["online", "away", "offline"]},
    },
    "messages": {"type": "array", "items": {"$ref": _REF.format(name="Message")}},
    **dict.fromkeys(["unread", "mentions"], _NUMBER),
    "room": _STRING,
    "state": _nullable(_MAP),
    "rooms": {"type": "array", "items": {"type": "array", "prefixItems": [_MAP, _NUMBER, _NUMBER]}},
    "names": _nullable({"type": "object", "additionalProperties": _nullable(_MAP)}),
}


_CHANNEL: Final = (
    "One websocket per client, in MessagePack or JSON by subprotocol. A message is one or more"
    " frames: MessagePack values one after the other, or JSON values separated by newlines. Unknown"
    " trailing elements of a frame are ignored, unknown fields of a command's arguments refused."
)


def asyncapi() -> Json:
    """The document."""
    ops = [*wire.CLIENT_FRAMES, *wire.SERVER_FRAMES]
    names = {int(op): wire.Op(op).name.lower() for op in ops}
    sent = [names[op] for op in wire.CLIENT_FRAMES]
    received = [names[op] for op in wire.SERVER_FRAMES]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "batonbox",
            "version": __version__,
            "description": _about(),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "ws": {
                "address": "/v1/ws",
                "description": _CHANNEL,
                "messages": {
                    name: {"$ref": f"#/components/messages/{name}"} for name in names.values()
                },
                "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
                "x-subprotocols": list(wire.SUBPROTOCOLS),
                "x-close-codes": _closes(),
            }
        },
        "operations": {
            "client": _operation("receive", "What clients send.", sent),
            "server": _operation("send", "What the server sends.", received),
        },
        "components": {
            "messages": {names[int(op)]: _message(int(op)) for op in ops},
            "schemas": _schemas(),
        },
    }


def _about() -> str:
    return (
        "The live side of batonbox. A message carries one or more frames, arrays that begin with"
        f" their operation number; version {wire.VERSION} of the wire. The HTTP API is described by"
        " /openapi.json, the protocol's rules by docs/protocol.md."
    )


def _closes() -> list[Json]:
    return [
        {
            "code": int(code),
            "name": code.name.lower(),
            "client": next(says for low, high, says in wire.CLOSE_RANGES if low <= code <= high),
        }
        for code in wire.Close
    ]


def _operation(action: str, summary: str, messages: list[str]) -> Json:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/ws"},
        "messages": [{"$ref": f"#/channels/ws/messages/{name}"} for name in messages],
    }


def _message(op: int) -> Json:
    name = wire.Op(op).name
    told = wire.CLIENT_FRAMES.get(op)
    says = doc(told) if told is not None else wire.SERVER_FRAMES[op][1]
    message: Json = {"name": name, "title": name, "summary": says, "payload": frame_schema(op)}
    examples = [frame for frame in FRAMES.values() if frame[0] == op]
    if examples:
        message["examples"] = [{"payload": [int(f[0]), *f[1:]]} for f in examples]
    return message


def frame_schema(op: int) -> Json:
    """A frame as JSON Schema; further elements are allowed, and ignored."""
    head = {"const": int(op)}
    if op in wire.CLIENT_FRAMES:
        return _client_frame(op, head)
    names = wire.SERVER_FRAMES[op][0].split()
    items = [{"title": n.rstrip("?"), **_VALUES[n.rstrip("?")]} for n in names]
    needed = 1 + len([name for name in names if not name.endswith("?")])
    return {"type": "array", "items": [head, *map(_titled_ref, items)], "minItems": needed}


def _titled_ref(schema: Json) -> Json:
    """Beside a $ref draft 07 ignores everything, so the title goes around it."""
    if "$ref" not in schema:
        return schema
    return {"title": schema["title"], "allOf": [{"$ref": schema["$ref"]}]}


def _client_frame(op: int, head: Json) -> Json:
    shape = wire.CLIENT_FRAMES[op]
    _, components = msgspec.json.schema_components([shape], ref_template=_REF)
    told = _draft_07(components[shape.__name__])
    items = [
        {"title": field.encode_name, **schema}
        for field, schema in zip(struct_fields(shape), told["items"], strict=True)
    ]
    if op == wire.Op.CMD:
        items = [items[0], {"title": "name", "enum": list(wire.COMMANDS)}, _arguments()]
    return {"type": "array", "items": [head, *items], "minItems": 1 + told.get("minItems", 0)}


def _arguments() -> Json:
    shapes = [{"$ref": _REF.format(name=c.__name__)} for c in wire.COMMANDS.values()]
    return {"title": "args", "anyOf": shapes}


def _schemas() -> Json:
    shapes = [wire.SubItem, wire.Share, *wire.COMMANDS.values()]
    _, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    found: Json = {name: _draft_07(schema) for name, schema in components.items()}
    for name, shape in wire.COMMANDS.items():
        found[shape.__name__]["x-command"] = name
        found[shape.__name__]["x-needs-own-tok"] = name in wire.FENCED
    return {**found, "Row": _row(), "Message": _thread_message(), "Error": _errors()}


def _row() -> Json:
    hints = get_type_hints(model.Row)
    kinds: dict[Any, Json] = {int: _NUMBER, model.Status: {"enum": [*map(str, model.Status)]}}
    return {
        "type": "object",
        "description": "A conversation's state: an absolute register.",
        "required": [field.name for field in fields(model.Row)],
        "properties": {
            field.name: {
                **kinds.get(hints[field.name], _STRING),
                "description": ROW_MEANING[field.name],
            }
            for field in fields(model.Row)
        },
    }


def _thread_message() -> Json:
    kinds = {"n": _NUMBER, "seq": _NUMBER, "at_ms": _NUMBER, "body": _nullable(_MAP)}
    items = [
        {"title": name, "description": MESSAGE_MEANING[name], **kinds.get(name, _STRING)}
        for name in wire.MESSAGE_FIELDS
    ]
    always = [name for name in wire.MESSAGE_FIELDS if name != "reason"]
    return {"type": "array", "items": items, "minItems": len(always)}


def _errors() -> Json:
    return {
        "description": "Number and slug of an ERR.",
        "oneOf": [
            {"const": code.number, "title": code.slug, "description": code.remedy}
            for code in CODES.values()
        ],
    }


def _draft_07(schema: Any) -> Any:
    """AsyncAPI's own dialect is a superset of draft 07, which has no prefixItems."""
    if isinstance(schema, list):
        return [_draft_07(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    told = {name: _draft_07(value) for name, value in schema.items()}
    if "prefixItems" in told:
        rest = told.pop("items", None)
        told["items"] = told.pop("prefixItems")
        if rest is not None:
            told["additionalItems"] = rest
    return told

"""OpenAPI 3.1 of the one table of endpoints; nothing about an endpoint is written here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import inspect

from batonbox_server import __version__
from batonbox_server.asgi.answers import Problem
from batonbox_server.asgi.app import ALL_ENDPOINTS
from batonbox_server.asgi.endpoint import Endpoint
from batonbox_server.asgi.rest import KEY_PATTERN
from batonbox_server.errors import CODES

__all__ = ["TAGS", "openapi", "tag_of"]

Json = dict[str, Any]
_REF: Final = "#/components/schemas/{name}"
# The path after /v1 -> the part of the API it belongs to; "" is what has no version.
TAGS: Final[dict[str, tuple[str, str]]] = {
    "session": ("Session", "Signing in and out, for browsers."),
    "sessions": ("Session", ""),
    "setup": ("Set-up", "Once, on an empty server."),
    "me": ("Me", "The caller."),
    "connection-tokens": ("Me", ""),
    "users": ("Team", "The team members, as colleagues see each other."),
    "inboxes": ("Inboxes", "The inboxes the caller sees."),
    "conversations": ("Conversations", "Reading them, and every command of the websocket."),
    "rooms": ("Rooms", "Direct messages and channels: reading them, and their commands."),
    "channels": ("Rooms", ""),
    "interactions": ("Interactions", "Customers' conversations and rooms in one list."),
    "contacts": ("Contacts", "Whose numbers are whose, for everybody on the team."),
    "export": ("Export", "Everything the caller may see, as a file."),
    "search": ("Search", "Everything the caller may see, from one box."),
    "admin": ("Administration", "For admins."),
    "retention": ("Retention", "How long messages are kept, and what is held whatever its age."),
    "holds": ("Retention", ""),
    "archive": ("Retention", ""),
    "loopback": ("Simulated phones", "Only with the loopback carrier."),
    "webhook": ("Webhook carrier", "Signed by the carrier; only when its secret is set."),
    "media": ("Files", "Up in one request, down by a link that is signed for a moment."),
    "carriers": ("Carriers", "Called by carriers, in their own forms and with their own proofs."),
    "": ("Operations", "For probes and monitoring."),
}
_ALWAYS: Final = ("bad_request", "internal", "unavailable", "rate_limited")
_SIGNED_IN: Final = ("unauthorized", "token_expired", "forbidden")
_ABOUT: Final = (
    "Shared inboxes over HTTP. Every request carries `Authorization: Bearer <token>` or, from the"
    " server's own pages, the session's cookie. Refusals are RFC 9457 problem documents with a"
    " stable `code`. Unknown fields and query parameters are refused. Live updates come over the"
    " websocket `/v1/ws`: see /asyncapi.json."
)


def openapi(endpoints: Iterable[Endpoint] = ALL_ENDPOINTS) -> Json:
    """The document."""
    rows = list(endpoints)
    shapes = _shapes(rows)
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    known = dict(zip(map(repr, shapes), schemas, strict=True))
    components["Problem"]["properties"]["code"] = {"enum": sorted(CODES)}
    paths: dict[str, Json] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, known)
    about = {name: says for name, says in TAGS.values() if says}
    used = dict.fromkeys(tag_of(row.path) for row in rows)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "batonbox",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about.get(name, "")} for name in used],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": _responses(rows),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "batonbox"},
            },
        },
    }


def tag_of(path: str) -> str:
    """The part of the API a path belongs to."""
    match = re.match(r"/v1/([^/]+)", path)
    name = match[1] if match else ""
    return TAGS[name][0] if name in TAGS else name.capitalize()


def _shapes(rows: list[Endpoint]) -> list[Any]:
    found: list[Any] = [Problem]
    for row in rows:
        found += [shape for shape in (row.body, row.returns) if shape not in {None, str, bytes}]
    return list({repr(shape): shape for shape in found}.values())


def _operation(row: Endpoint, known: Json) -> Json:
    operation: Json = {
        "operationId": _operation_id(row),
        "tags": [tag_of(row.path)],
        "summary": " ".join((row.handler.__doc__ or "").split()),
    }
    parameters = [*_path_parameters(row), *_query_parameters(row), *_headers(row)]
    if parameters:
        operation["parameters"] = parameters
    if row.body is not None:
        operation["requestBody"] = {
            "required": _needed(row.body),
            "content": {"application/json": {"schema": known[repr(row.body)]}},
        }
    if row.takes:
        operation["requestBody"] = {"required": True, "content": _files(row.takes)}
    operation["responses"] = {**_answers(row, known), **_problems(row)}
    operation["security"] = [{"bearer": []}, {"session": []}] if row.action is not None else []
    return operation


def _files(kinds: tuple[str, ...]) -> Json:
    return {kind: {"schema": {}} for kind in kinds}


def _operation_id(row: Endpoint) -> str:
    words = re.findall(r"[a-z]+", row.path.removeprefix("/v1"))
    return "_".join([row.method.lower(), *words])


def _needed(shape: type[msgspec.Struct]) -> bool:
    return any(field.required for field in msgspec.structs.fields(shape))


def _path_parameters(row: Endpoint) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", row.path)
    ]


def _query_parameters(row: Endpoint) -> list[Json]:
    if row.query is None:
        return []
    info = inspect.type_info(row.query)
    assert isinstance(info, inspect.StructType)
    _, components = msgspec.json.schema_components([row.query], ref_template=_REF)
    schema = components[row.query.__name__]
    return [
        {
            "name": field.encode_name,
            "in": "query",
            "required": field.required,
            "schema": schema["properties"][field.encode_name],
        }
        for field in info.fields
    ]


def _headers(row: Endpoint) -> list[Json]:
    if not row.keyed:
        return []
    says = "The command's id: sent again with the same key it takes effect once."
    schema = {"type": "string", "pattern": f"^{KEY_PATTERN}$"}
    key = {"name": "Idempotency-Key", "in": "header", "required": False}
    return [{**key, "description": says, "schema": schema}]


def _answers(row: Endpoint, known: Json) -> Json:
    answer: Json = {"description": "As asked."}
    if row.returns is str:
        answer["content"] = {kind: {"schema": {"type": "string"}} for kind in row.types}
    elif row.returns is bytes:
        answer["content"] = _files(row.types)
    elif row.returns is not None:
        answer["content"] = {"application/json": {"schema": known[repr(row.returns)]}}
    return {str(status): answer for status in (row.status, row.also) if status}


def _problems(row: Endpoint) -> Json:
    return {
        status: {"$ref": f"#/components/responses/{_response_name(slugs)}"}
        for status, slugs in _refusals(row).items()
    }


def _response_name(slugs: list[str]) -> str:
    return "-or-".join(slugs)


def _refusals(row: Endpoint) -> dict[str, list[str]]:
    """Status -> the slugs it can carry here."""
    by_status: dict[str, list[str]] = {}
    for slug in _slugs(row):
        by_status.setdefault(str(CODES[slug].http), []).append(slug)
    if row.body is not None:
        by_status["413"] = ["bad_request"]
    for slug, status in row.statuses:
        by_status.setdefault(str(status), []).append(slug)
    own = {str(row.status), str(row.also)}
    return {status: by_status[status] for status in sorted(by_status.keys() - own)}


def _responses(rows: list[Endpoint]) -> Json:
    """Every set of refusals that shares a status, by name."""
    found = {_response_name(slugs): slugs for row in rows for slugs in _refusals(row).values()}
    problem = {"schema": {"$ref": _REF.format(name="Problem")}}
    return {
        name: {
            "description": " ".join(f"`{slug}`: {CODES[slug].remedy}" for slug in found[name]),
            "content": {"application/problem+json": problem},
        }
        for name in sorted(found)
    }


def _slugs(row: Endpoint) -> list[str]:
    found = [*_ALWAYS, *(_SIGNED_IN if row.action is not None else ()), *row.errors]
    if "{" in row.path:
        found.append("not_found")
    return [slug for slug in CODES if slug in found]

"""Exports over HTTP: a conversation, a room, the organisation; for admins, of what they may see."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct
from starlette.responses import Response

from batonbox_server.domain.model import is_room
from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.service.export_page import PAGE_POLICY
from batonbox_server.service.export_thread import ThreadExport
from batonbox_server.service.scopes import check_scope

from .endpoint import Call, Endpoint
from .streamed import Streamed

__all__ = ["ENDPOINTS"]

_JSON, _CSV, _HTML = "application/json", "text/csv", "text/html"
_NDJSON: Final = "application/x-ndjson"


class Exported(Struct):
    """Query of an export; `zone` is that of the times in CSV and on the page, UTC if left out."""

    format: Literal["json", "csv", "html"] = "json"
    zone: str = ""


async def _conversation(call: Call) -> Response:
    """A conversation with all its messages and notes, archived ones too, as a file."""
    if is_room(call.path("conv")):
        raise Refused("not_found", "There is no such conversation; rooms have an export of theirs.")
    return await _thread(call, call.path("conv"))


async def _room(call: Call) -> Response:
    """A room that the caller is in, with all its posts, as a file."""
    if not is_room(call.path("room")):
        raise Refused("not_found", "There is no such room.")
    return await _thread(call, call.path("room"))


async def _organisation(call: Call) -> Response:
    """Everything the caller may see, as NDJSON; see docs/export.md for its lines.

    The first line is the header, the last one is {kind: "end"} with a SHA-256 of the lines before
    it. What is not complete has no such line.
    """
    check_scope(call.principal, Action.SEE)
    chunks = await call.services.exports.organisation(call.principal)
    name = "batonbox-export.ndjson"
    return Streamed(chunks, media_type=_NDJSON, headers=_headers(name))


async def _thread(call: Call, conv: str) -> Response:
    check_scope(call.principal, Action.SEE)
    query = call.query(Exported)
    found = await call.services.exports.thread(
        call.principal, conv=conv, form=query.format, zone=query.zone
    )
    chunks, kind = _written(found, query.format)
    headers = _headers(f"{conv.replace('~', '')}.{query.format}")
    if kind == _HTML:
        # To be looked at and printed in the browser, in a world of its own.
        headers["content-security-policy"] = f"{PAGE_POLICY}; frame-ancestors 'none'; sandbox"
        headers["content-disposition"] = headers["content-disposition"].replace(
            "attachment", "inline"
        )
    return Streamed(call.while_allowed(chunks), media_type=kind, headers=headers)


def _written(found: ThreadExport, form: str) -> tuple[Any, str]:
    if form == "csv":
        return found.csv(), _CSV
    return (found.page(), _HTML) if form == "html" else (found.json(), _JSON)


def _headers(name: str) -> dict[str, str]:
    disposition = f'attachment; filename="{name}"'
    return {"content-disposition": disposition, "cache-control": "no-store"}


_A: Final = Action.ADMINISTER
_FILES: Final = (_JSON, _CSV, _HTML)
ENDPOINTS: Final = (
    Endpoint(
        "GET",
        "/v1/conversations/{conv}/export",
        _A,
        _conversation,
        query=Exported,
        returns=bytes,
        types=_FILES,
    ),
    Endpoint(
        "GET", "/v1/rooms/{room}/export", _A, _room, query=Exported, returns=bytes, types=_FILES
    ),
    Endpoint(
        "GET",
        "/v1/export",
        _A,
        _organisation,
        returns=str,
        types=(_NDJSON,),
        errors=("rate_limited",),
    ),
)

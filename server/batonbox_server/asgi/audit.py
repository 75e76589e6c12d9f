"""The audit log over HTTP, and reassigning all of a person's conversations."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response, StreamingResponse

from batonbox_server.domain.policy import Action
from batonbox_server.origin import Via
from batonbox_server.service.audit import Wanted
from batonbox_server.store.audit_port import AuditEntry

from .answers import Items
from .endpoint import Call, Endpoint
from .shapes import timestamp

__all__ = ["ENDPOINTS"]

Instant = Annotated[datetime, Meta(tz=True)]
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_CHUNK: Final = 200  # entries written at once


class Filters(Struct):
    """Which entries; `since` is the first instant, `until` the first no more."""

    actor: str = ""
    action: str = ""
    inbox: str = ""
    conv: str = ""
    since: Instant | None = None
    until: Instant | None = None


class Listing(Filters):
    """Query of the audit log; `cursor` is the last answer's `next`."""

    cursor: str = ""
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class Exported(Filters):
    """Query of the export."""

    format: Literal["csv", "ndjson"] = "csv"


class AuditItem(Struct):
    """Who did what, from where, and the difference it made."""

    id: str
    at: str
    actor: str | None
    via: Via
    address: str
    token: str | None
    action: str
    inbox: str | None
    conv: str | None
    target: str
    before: dict[str, Any]
    after: dict[str, Any]
    detail: dict[str, Any]


class Reassignment(Struct, forbid_unknown_fields=True):
    """Body of reassign: to whom, null for Return to Inbox; all inboxes unless one is named."""

    to: str | None
    inbox: str | None = None


class LeftConversation(Struct):
    """One that stayed, and the slug of the refusal."""

    conv: str
    code: str


class Reassigned(Struct):
    """How many conversations went over, and which did not."""

    moved: int
    left: list[LeftConversation]


async def _entries(call: Call) -> dict[str, Any]:
    """Who did what, from where, the newest first; a page may be short and still have a next."""
    query = call.query(Listing)
    found, after = await call.services.audit.page(
        _wanted(query), cursor=query.cursor, limit=query.limit
    )
    return {"items": [_item(entry) for entry in found], "next": after}


async def _export(call: Call) -> Response:
    """Every entry of the audit log as a file; the export is an entry itself."""
    query = call.query(Exported)
    found = await call.services.audit.export(_wanted(query), form=query.format)
    written, kind = (_csv, "text/csv") if query.format == "csv" else (_ndjson, _NDJSON)
    headers = {
        "content-disposition": f'attachment; filename="audit.{query.format}"',
        "cache-control": "no-store",
    }
    return StreamingResponse(call.while_allowed(written(found)), media_type=kind, headers=headers)


async def _reassign(call: Call) -> dict[str, Any]:
    """Hand over all that a team member holds, or return it; what has changed meanwhile stays."""
    body = await call.body(Reassignment)
    outcome = await call.services.reassign.run(
        call.principal, user=call.path("user"), to=body.to, inbox=body.inbox
    )
    left = [{"conv": conv, "code": code} for conv, code in sorted(outcome.left)]
    return {"moved": outcome.moved, "left": left}


def _wanted(query: Filters) -> Wanted:
    return Wanted(
        actor=query.actor,
        action=query.action,
        inbox=query.inbox,
        conv=query.conv,
        since_ms=max(0, _ms(query.since)) if query.since else 0,
        until_ms=max(1, _ms(query.until)) if query.until else 0,
    )


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _item(entry: AuditEntry) -> dict[str, Any]:
    at_ms, n, stream = entry.place
    return {
        "id": f"{stream}:{at_ms}-{n}" if stream else f"{at_ms}-{n}",
        "at": timestamp(at_ms),
        "actor": entry.actor or None,
        "via": entry.via,
        "address": entry.address,
        "token": entry.token or None,
        "action": entry.action,
        "inbox": entry.inbox or None,
        "conv": entry.conv or None,
        "target": entry.target,
        "before": entry.before,
        "after": entry.after,
        "detail": entry.detail,
    }


async def _ndjson(found: AsyncIterator[AuditEntry]) -> AsyncIterator[bytes]:
    lines: list[bytes] = []
    async for entry in found:
        lines.append(msgspec.json.encode(_item(entry)) + b"\n")
        if len(lines) == _CHUNK:
            yield b"".join(lines)
            lines.clear()
    yield b"".join(lines)


async def _csv(found: AsyncIterator[AuditEntry]) -> AsyncIterator[bytes]:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(AuditItem.__struct_fields__)
    waiting = 0
    async for entry in found:
        rows.writerow([_cell(value) for value in _item(entry).values()])
        waiting += 1
        if waiting == _CHUNK:
            yield _taken(text)
            waiting = 0
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    written = text.getvalue()
    text.seek(0)
    text.truncate()
    return written.encode()


def _cell(value: Any) -> str:
    """As text that a spreadsheet takes for text, whatever it begins with."""
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode() if value else ""
    shown = "" if value is None else str(value)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


_NDJSON: Final = "application/x-ndjson"
_A: Final = Action.ADMINISTER
ENDPOINTS: Final = (
    Endpoint("GET", "/v1/admin/audit", _A, _entries, query=Listing, returns=Items[AuditItem]),
    Endpoint(
        "GET",
        "/v1/admin/audit/export",
        _A,
        _export,
        query=Exported,
        returns=str,
        types=("text/csv", _NDJSON),
    ),
    Endpoint(
        "POST",
        "/v1/admin/users/{user}/reassign",
        _A,
        _reassign,
        body=Reassignment,
        returns=Reassigned,
        errors=("conflict",),
    ),
)

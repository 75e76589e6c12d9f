"""Refusals as RFC 9457 problem details; nothing of our insides ever travels."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from starlette.responses import Response

from batonbox_server.errors import EngineUnavailable, Refused

from .shapes import row_json

__all__ = ["problem", "refusal_of"]


def problem(refused: Refused, *, request_id: str, status: int = 0) -> Response:
    """The answer to a refused request; `status` overrides the error table's."""
    code = refused.code
    body: dict[str, Any] = {
        "type": f"urn:batonbox:error:{code.slug}",
        "title": code.slug.replace("_", " "),
        "status": status or code.http,
        "detail": refused.message,
        "code": code.slug,
        "request_id": request_id,
    }
    if refused.cur is not None:
        body["cur"] = row_json(refused.cur)
    if refused.retry_ms is not None:
        body["retry_ms"] = refused.retry_ms
    headers = {}
    if body["status"] in {429, 503}:
        headers["retry-after"] = str(max(1, math.ceil((refused.retry_ms or 1000) / 1000)))
    if body["status"] == 401:
        headers["www-authenticate"] = "Bearer"
    if body["status"] == 413:
        headers["connection"] = "close"  # or the rest of the body would still be read
    return Response(
        msgspec.json.encode(body),
        status_code=body["status"],
        media_type="application/problem+json",
        headers=headers,
    )


def refusal_of(error: Exception) -> Refused:
    """What a client is told of an exception."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, EngineUnavailable):
        return Refused("unavailable")
    return Refused("internal")

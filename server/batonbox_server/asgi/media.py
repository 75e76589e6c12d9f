"""Files of messages over HTTP: up in one request, down by a link that is signed for a moment."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Annotated, Final
from urllib.parse import quote

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from batonbox_server.domain.media import KINDS, File
from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused

from .endpoint import Call, Endpoint, TooBig, json_response
from .problem import problem

__all__ = ["ENDPOINTS"]

_TRANSFER_S: Final = 120.0
_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
# Whatever a file says of itself, a browser saves it, and runs nothing of it.
_HEADERS: Final = {
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, max-age=300",
    "accept-ranges": "bytes",
}


class Uploading(msgspec.Struct, forbid_unknown_fields=True):
    """Query of an upload: what the file is called."""

    name: Annotated[str, Meta(max_length=255)] = ""


class Signed(msgspec.Struct, forbid_unknown_fields=True):
    """Query of a signed link: when it ends (epoch seconds), and the signature."""

    exp: Annotated[int, Meta(ge=0, le=2**53 - 1)]
    sig: Annotated[str, Meta(max_length=100, pattern=r"^[\w-]*$")]


class Uploaded(msgspec.Struct):
    """A file to send: its id goes into `media` of reply or compose within a day.

    `warnings`: `large` above 500 kB, which some carriers shrink or turn into a link.
    """

    id: str
    type: str
    size: int
    name: str
    warnings: list[str]


async def _upload(call: Call) -> Response:
    """Upload a file: its bytes are the body, its content type says what it is."""
    wait_ms = call.services.admission.retry_ms(call.principal)
    if wait_ms:
        raise Refused("rate_limited", retry_ms=wait_ms)
    media, query = call.services.media, call.query(Uploading)
    declared = call.request.headers.get("content-type", "")
    try:
        with media.arriving(call.principal):
            async with asyncio.timeout(_TRANSFER_S):
                data = await call.raw_body(media.limits.max_bytes)
            made = await media.upload(call.principal, data=data, declared=declared, name=query.name)
    except TooBig:
        told = f"The file is larger than {media.limits.max_bytes} bytes."
        return problem(Refused("media_refused", told), request_id=call.request_id, status=413)
    except TimeoutError:
        raise Refused("bad_request", f"The file did not arrive within {_TRANSFER_S:g} s.") from None
    return json_response(made, status=201)


async def _of_message(call: Call) -> Response:
    """The i-th file of a message, counted from 0: redirects to a link that is good for 5 minutes.

    503 while it is being fetched from the carrier, 410 when that failed for good.
    """
    n, index = (_number(call, name) for name in ("n", "i"))
    conv = call.path("conv")
    found = await call.services.reads.history(call.principal, conv=conv, before=n + 1, n=1)
    message = next((m for m in found["messages"] if m[0] == n), None)
    body = message[7] if message else None
    files = body.get("media") if isinstance(body, dict) else None
    if not files or index >= len(files):
        raise Refused("not_found", "This message has no such file.")
    try:
        path = await call.services.media.person_path(files[index])
    except Refused as refused:
        return _gone(call, refused)
    return RedirectResponse(path, 307, headers={"cache-control": "no-store"})


async def _signed(call: Call) -> Response:
    """A file by its signed link, to be saved: images and sounds also show in a page of ours."""
    query = call.query(Signed)
    try:
        file = await call.services.media.signed(call.path("media"), exp=query.exp, sig=query.sig)
    except Refused as refused:
        return _gone(call, refused)
    headers = {**_HEADERS, "content-disposition": _disposition(file), "content-type": file.type}
    if file.type.startswith("text/"):
        headers["content-type"] += "; charset=utf-8"
    asked = _asked(call.request, file.size)
    if asked is None:
        return Response(status_code=416, headers={"content-range": f"bytes */{file.size}"})
    begin, end = asked
    whole = (begin, end) == (0, file.size)
    if not whole:
        headers["content-range"] = f"bytes {begin}-{end - 1}/{file.size}"
    headers["content-length"] = str(end - begin)
    pieces = await call.services.media.read(file, begin=begin, end=end)
    return StreamingResponse(_bounded(pieces), 200 if whole else 206, headers=headers)


def _gone(call: Call, refused: Refused) -> Response:
    if refused.slug != "media_refused":
        raise refused
    return problem(refused, request_id=call.request_id, status=410)


def _number(call: Call, name: str) -> int:
    text = call.path(name)
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise Refused("not_found", f"{name}: a number.")
    return int(text)


def _asked(request: Request, size: int) -> tuple[int, int] | None:
    """Which bytes [begin, end) to send; None when none of those asked for are there.

    What is not one plain range is answered with the whole, as HTTP allows.
    """
    match = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if match is None or "if-range" in request.headers or not any(match.groups()):
        return 0, size
    first, last = match.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) else None
    begin, end = int(first), min(size, int(last) + 1) if last else size
    if last and int(last) < begin:
        return 0, size
    return (begin, end) if begin < size else None


async def _bounded(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A reader who takes for ever is let go."""
    until_s = time.monotonic() + _TRANSFER_S
    async for piece in pieces:
        yield piece
        if time.monotonic() > until_s:
            return


def _disposition(file: File) -> str:
    """RFC 6266: a plain name for everybody, and the right one for those who read UTF-8."""
    plain = "".join(c if c.isascii() and c not in '"\\%' else "_" for c in file.name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}"


ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        "POST",
        "/v1/media",
        Action.REPLY,
        _upload,
        201,
        query=Uploading,
        takes=tuple(KINDS),
        returns=Uploaded,
        errors=("media_refused", "rate_limited"),
        statuses=(("media_refused", 413),),
    ),
    Endpoint(
        "GET",
        "/v1/conversations/{conv}/messages/{n}/media/{i}",
        Action.SEE,
        _of_message,
        307,
        statuses=(("media_refused", 410),),
    ),
    Endpoint(
        "GET",
        "/v1/media/{media}",
        None,
        _signed,
        also=206,
        query=Signed,
        returns=bytes,
        types=tuple(KINDS),
        errors=("unauthorized", "token_expired"),
        statuses=(("media_refused", 410),),
    ),
)

"""Files of messages: read from disk, sent up, fetched back, over the server's HTTP."""

from __future__ import annotations

import asyncio
import mimetypes
import os
from pathlib import Path
from urllib.parse import quote, urlencode

from batonbox._http import Http

__all__ = ["fetch", "upload"]

_FALLBACK = "application/octet-stream"


async def upload(
    http: Http, data: bytes | os.PathLike[str], *, name: str | None, type_: str | None
) -> str:
    """Send a file up; returns its id."""
    if not isinstance(data, bytes):
        path = Path(data)
        name = path.name if name is None else name
        data = await asyncio.to_thread(path.read_bytes)
    kind = type_ or mimetypes.guess_type(name or "")[0] or _FALLBACK
    path_ = "/v1/media?" + urlencode({"name": name or ""})
    return str((await http.send_raw("POST", path_, data, kind))["id"])


async def fetch(http: Http, conv: str, n: int, index: int, *, timeout_s: float) -> bytes:
    """A file of a message; waits while the server is still fetching it from the carrier."""
    path = f"/v1/conversations/{quote(conv, safe='')}/messages/{n}/media/{index}"
    return await http.download(path, deadline_s=timeout_s)

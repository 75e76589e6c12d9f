"""The browser client is answered from memory, as it was when the server started."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from batonbox_server import __version__
from batonbox_server.asgi.edge import Edge
from batonbox_server.asgi.web import WebClient

SCRIPT = b"console.log('hello');\n" * 200
PACKED = "/assets/app-1234.js"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle as `vite build` leaves it."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(b"<!doctype html><title>x</title>")
    (tmp_path / "assets" / "app-1234.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "dot-1234.png").write_bytes(b"\x89PNG" + bytes(2000))
    (tmp_path / "manifest.webmanifest").write_bytes(b"{}")
    (tmp_path / "sw.js").write_bytes(b"'use strict';")
    (tmp_path / ".stamp").write_bytes(b"secret")
    return tmp_path


@asynccontextmanager
async def browsing(web: WebClient) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server that has nothing but the pages."""
    transport = httpx2.ASGITransport(app=Edge(Starlette(routes=web.routes)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://box") as http:
        yield http


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/inboxes/sales?filter=done", "text/html; charset=utf-8", "no-cache"),
        ("/admin/anything/at/all", "text/html; charset=utf-8", "no-cache"),
        ("/sw.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/manifest.webmanifest", "application/manifest+json", "no-cache"),
        (PACKED, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/assets/dot-1234.png", "image/png", "public, max-age=31536000, immutable"),
    ],
)
async def test_each_file_has_its_type_and_keeping(
    folder: Path, path: str, kind: str, cache: str
) -> None:
    async with browsing(WebClient(folder)) as http:
        answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    assert answer.headers["cache-control"] == cache
    assert "trusted-types batonbox-sw" in answer.headers["content-security-policy"]


async def test_what_a_browser_has_is_not_sent_again(folder: Path) -> None:
    async with browsing(WebClient(folder)) as http:
        for coding in ("gzip", "identity"):
            given = {"accept-encoding": coding}
            first = await http.get(PACKED, headers=given)
            assert first.content == SCRIPT
            assert first.headers.get("content-encoding", "identity") == coding
            assert first.headers["vary"] == "accept-encoding"
            for tag in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
                again = await http.get(PACKED, headers={**given, "if-none-match": tag})
                assert (again.status_code, again.content) == (304, b"")
                assert again.headers["etag"] == first.headers["etag"]
            stale = await http.get(PACKED, headers={**given, "if-none-match": '"other"'})
            assert stale.status_code == 200
        refusing = await http.get(PACKED, headers={"accept-encoding": "gzip;q=0, br"})
        assert "content-encoding" not in refusing.headers


async def test_a_head_tells_the_size_and_sends_nothing(folder: Path) -> None:
    async with browsing(WebClient(folder)) as http:
        head = await http.head(PACKED, headers={"accept-encoding": "gzip"})
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(gzip.compress(SCRIPT, 9, mtime=0))


async def test_nothing_outside_the_bundle_and_nothing_hidden_is_served(folder: Path) -> None:
    (folder.parent / "outside.js").write_bytes(b"no")
    async with browsing(WebClient(folder)) as http:
        for path in (
            "/.stamp",
            "/assets/",
            "/assets/none.js",
            "/assets/../index.html",
            "/assets/%2e%2e/%2e%2e/outside.js",
            "/assets/..%2f.stamp",
            "/index.html",
            "/phone/more",
            "/web",
        ):
            assert (await http.get(path)).status_code == 404, path


async def test_a_build_made_meanwhile_waits_for_a_restart(folder: Path) -> None:
    running = WebClient(folder)
    (folder / "assets" / "app-1234.js").unlink()
    (folder / "assets" / "app-5678.js").write_bytes(SCRIPT + b"//")
    (folder / "index.html").write_bytes(b"<!doctype html><title>y</title>")
    async with browsing(running) as http:
        assert (await http.get(PACKED)).content == SCRIPT
        assert "<title>x" in (await http.get("/")).text
    restarted = WebClient(folder)
    assert running.build.startswith(f"{__version__}+")
    assert restarted.build.startswith(f"{__version__}+")
    assert restarted.build != running.build
    assert WebClient(folder).build == restarted.build


async def test_without_a_page_there_are_no_files(folder: Path) -> None:
    (folder / "index.html").unlink()
    web = WebClient(folder)
    assert (web.built, web.build) == (False, __version__)
    async with browsing(web) as http:
        assert (await http.get(PACKED)).status_code == 404
        answer = await http.get("/inboxes/all")
    assert "make setup" in answer.text
    for name in ("cross-origin-opener-policy", "permissions-policy", "x-frame-options"):
        assert name in answer.headers
    assert "script-src" not in answer.headers["content-security-policy"]


def test_a_folder_that_is_no_bundle_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batonbox_server.asgi.bundle._MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="delete it and build"):
        WebClient(folder)

"""Files that are made to be something else to somebody else: kept as they are, and never more."""

from __future__ import annotations

import gzip
import io
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from batonbox_server.carriers.fetch_port import FetchFailed
from batonbox_server.carriers.fetcher import HttpFetcher
from tests.integration.media_harness import (
    HTML,
    PNG,
    SAMPLES,
    SVG,
    got,
    kept,
    mine,
    upload,
    uploaded,
)
from tests.ports import on_port
from tests.served import Served, served

BOMB = gzip.compress(bytes(20_000_000), 9)  # 20 kB that become 20 MB


def zipped(names: list[str]) -> bytes:
    """An archive whose members have these names."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return packed.getvalue()


# What these bytes are to us, and what they also are to a careless reader.
POLYGLOTS = {
    "a picture and a script": ("image/gif", b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)//"),
    "a picture and a page": ("image/jpeg", b"\xff\xd8\xff\xe0" + HTML),
    "a picture and an archive": ("image/png", PNG + zipped(["../../evil"])),
    "a document and a page": ("application/pdf", b"%PDF-1.7\n" + HTML),
    "a sound and a picture that acts": ("audio/mpeg", b"ID3\x04" + SVG),
    "a text and a script": ("text/plain", b"alert(document.cookie)"),
}


@pytest.fixture
async def site(engine_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix, data_dir=str(tmp_path)) as site:
        yield site


@pytest.mark.parametrize("what", POLYGLOTS)
async def test_two_things_in_one_are_saved_and_run_by_nobody(site: Served, what: str) -> None:
    kind, data = POLYGLOTS[what]
    conv = await mine(site)
    media = await uploaded(site, data, kind, name="x.html")
    assert (await site.act("agent1", conv, "reply", text="", media=[media])).is_success
    file = await got(site, conv, 3)
    assert file.content == data
    assert file.headers["content-type"].partition(";")[0] == kind
    assert file.headers["content-disposition"].startswith("attachment; filename=")
    assert not file.headers["content-disposition"].rstrip('"').endswith(".html")
    assert file.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert file.headers["x-content-type-options"] == "nosniff"


async def test_no_kind_that_is_taken_is_a_page_to_a_browser() -> None:
    assert not {"text/html", "image/svg+xml", "application/xhtml+xml", "text/xml"} & SAMPLES.keys()


@pytest.mark.parametrize("kind", ["image/png", "text/plain", "application/gzip", ""])
async def test_what_is_packed_is_not_unpacked(site: Served, tmp_path: Path, kind: str) -> None:
    """Neither the file nor the way in which it is sent."""
    answer = await upload(site, BOMB, kind)
    assert (answer.status_code, answer.json()["code"]) == (422, "media_refused")
    assert kept(tmp_path / "media") == []
    bearer = {"authorization": f"Bearer {await site.token('agent1')}"}
    answer = await site.http.post(
        "/v1/media", content=gzip.compress(PNG),
        headers={**bearer, "content-type": "image/png", "content-encoding": "gzip"},
    )  # fmt: skip
    assert answer.status_code == 422, "it was unpacked"
    packed = gzip.compress(b'{"name":"Zoe","id":"zoe"}')
    bearer = {"authorization": f"Bearer {await site.token('admin')}"}
    answer = await site.http.post(
        "/v1/admin/users", content=packed, headers={**bearer, "content-encoding": "gzip"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_a_carriers_file_that_comes_packed_is_not_unpacked() -> None:
    async def give(_: object) -> Response:
        return Response(BOMB, headers={"content-encoding": "gzip"}, media_type="image/png")

    fetcher = HttpFetcher(private=True, agent="test")
    async with on_port(Starlette(routes=[Route("/x", give)])) as port:
        with pytest.raises(FetchFailed, match="compressed"):
            await fetcher.fetch(
                f"http://127.0.0.1:{port}/x", headers_of=lambda _: {}, max_bytes=10**8, timeout_s=10
            )
    await fetcher.aclose()


@pytest.mark.parametrize(
    "name", ["../secrets.key", "..", "%2e%2e/secrets.key", "a/../../lock", "\0", "x" * 400]
)
async def test_no_link_leads_out_of_the_folder(site: Served, name: str) -> None:
    """Not even one that is signed, as if our own key were known."""
    links, exp = site.node.media._links, int(time.time()) + 60
    path = f"/v1/media/{quote(name, safe='')}"
    signed = await site.http.get(path, params={"exp": exp, "sig": links._signature(name, exp)})
    assert signed.status_code == 404, signed.text
    forged = await site.http.get(path, params={"exp": exp, "sig": "A" * 43})
    assert forged.status_code in {401, 404}

"""Files of messages: what is taken, who gets them, and how they leave with a reply."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.media_harness import (
    HTML,
    PDF,
    PNG,
    SAMPLES,
    SVG,
    got,
    kept,
    mine,
    upload,
    uploaded,
)
from tests.served import Served, served
from tests.support import eventually


@pytest.fixture
async def site(engine_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix, data_dir=str(tmp_path)) as site:
        yield site


# What is taken


@pytest.mark.parametrize("kind", SAMPLES)
async def test_every_kind_goes_up_and_comes_back_as_it_was(site: Served, kind: str) -> None:
    data, conv = SAMPLES[kind], await mine(site)
    up = await upload(site, data, kind, name="holiday")
    told = up.json()
    assert up.status_code == 201
    assert (told["type"], told["size"], told["warnings"]) == (kind, len(data), [])
    assert told["name"].startswith("holiday.")
    assert (await site.act("agent1", conv, "reply", text="", media=[told["id"]])).is_success
    file = await got(site, conv, 3)
    assert (file.status_code, file.content) == (200, data)
    assert file.headers["content-type"].partition(";")[0] == kind


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("image/png", HTML),
        ("image/png", SVG),
        ("image/png", b"MZ\x90\x00" + b"\0" * 99),
        ("image/png", SAMPLES["image/jpeg"]),
        ("image/png", b""),
        ("image/svg+xml", SVG),
        ("text/html", HTML),
        ("text/plain", HTML),
        ("text/plain", b"  \n<SVG onload=alert(1)>"),
        ("text/plain", b"with a \0 in it"),
        ("text/plain", b"\xff\xfe\x00\x01"),
        ("text/vcard", b"FN:Somebody"),
        ("application/zip", b"PK\x03\x04" + b"z" * 99),
        ("application/x-msdownload", b"MZ\x90\x00"),
        ("", b"\x7fELF" + b"\0" * 99),
        ("image/png; charset=utf-8", SVG),
        ("video/mp4", b"\0\0\0\x18ftypheic" + b"h" * 99),
    ],
)
async def test_what_is_not_what_it_says_is_refused(
    site: Served, tmp_path: Path, kind: str, data: bytes
) -> None:
    answer = await upload(site, data, kind, name="a.png")
    assert (answer.status_code, answer.json()["code"]) == (422, "media_refused")
    if data:
        assert "JPEG, PNG" in answer.json()["detail"]
    assert kept(tmp_path / "media") == []


async def test_too_large_a_file_is_refused_while_it_comes_and_nothing_is_kept(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:  # no content-length: how much comes is known only as it does
            sent += 65536
            yield PNG.ljust(65536)
            await asyncio.sleep(0)

    async with served(engine_url, prefix, data_dir=str(tmp_path), media_max_bytes=200_000) as site:
        announced = await upload(site, PNG.ljust(200_001))
        assert (announced.status_code, announced.json()["code"]) == (413, "media_refused")
        try:
            streamed = await asyncio.wait_for(upload(site, endless()), 20)
            assert streamed.status_code == 413
        except httpx2.HTTPError:
            pass  # the server closed while we were still sending
        assert sent < 10_000_000
        assert kept(tmp_path / "media") == []
        assert (await upload(site, PNG.ljust(200_000))).status_code == 201


async def test_a_user_uploads_a_few_files_at_once(site: Served) -> None:
    go_on, begun = asyncio.Event(), 0

    async def slowly() -> AsyncIterator[bytes]:
        nonlocal begun
        begun += 1
        yield PNG
        await go_on.wait()

    running = [asyncio.get_running_loop().create_task(upload(site, slowly())) for _ in range(4)]
    await eventually(lambda: begun == 4 and site.node.media._arriving["agent1"] == 4)
    fifth = await upload(site, PNG)
    assert (fifth.status_code, fifth.json()["code"]) == (429, "rate_limited")
    assert int(fifth.headers["retry-after"]) >= 1
    assert (await upload(site, PNG, user="agent2")).status_code == 201
    go_on.set()
    assert [(await one).status_code for one in running] == [201] * 4
    assert (await upload(site, PNG)).status_code == 201
    assert site.node.media._arriving.total() == 0


async def test_uploads_come_under_the_rate_of_commands(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"data_dir": str(tmp_path), "commands_per_s": 0.01, "commands_burst": 2}
    async with served(engine_url, prefix, **given) as site:
        statuses = [(await upload(site, PNG)).status_code for _ in range(3)]
        assert statuses == [201, 201, 429]


async def test_only_uploads_may_be_larger_than_other_bodies(site: Served) -> None:
    conv = await mine(site)
    up = await upload(site, PNG.ljust(600_000))
    assert (up.status_code, up.json()["warnings"]) == (201, ["large"])
    note = await site.act("agent1", conv, "note", text="x" * 70_000)
    assert note.status_code == 413


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../../etc/passwd", "passwd.png"),
        ("..\\..\\windows\\a.png", "a.png"),
        ("/etc/cron.d/x.png", "x.png"),
        ("bad.html", "bad.html.png"),
        ("a\r\nset-cookie: x=1.png", "aset-cookie: x=1.png"),
        ("photo\u202egnp.exe", "photognp.exe.png"),
        ('q"uote;.png', 'q"uote;.png'),
        ("Grüße %41.png", "Grüße %41.png"),
        ("", "file.png"),
        (".png", "png.png"),
        ("x" * 255, "x" * 116 + ".png"),
    ],
)
async def test_a_name_is_for_people_alone(
    site: Served, tmp_path: Path, given: str, shown: str
) -> None:
    conv = await mine(site)
    media = await uploaded(site, name=given)
    await site.act("agent1", conv, "reply", text="", media=[media])
    file = await got(site, conv, 3)
    said = file.headers["content-disposition"]
    assert said.startswith('attachment; filename="')
    plain, encoded = re.fullmatch(  # type: ignore[union-attr]
        r"attachment; filename=\"([^\"\\\r\n]*)\"; filename\*=UTF-8''([\w.%~-]+)", said
    ).groups()
    assert httpx2.URL(f"http://x/?{encoded}").query.decode() == encoded
    assert plain.isascii()
    thread = await site.get("agent1", f"/v1/conversations/{conv}")
    assert thread["messages"][-1]["body"]["media"][0]["name"] == shown
    (path,) = kept(tmp_path / "media")
    assert path.relative_to(tmp_path / "media").parts == (media[:2], media[2:4], media)


# How it is given out


async def test_a_browser_saves_a_file_and_runs_nothing_of_it(site: Served) -> None:
    conv = await mine(site)
    both = PNG + HTML  # an image to those who look at its beginning
    await site.act("agent1", conv, "reply", text="", media=[await uploaded(site, both)])
    file = await got(site, conv, 3)
    assert (file.content, file.headers["content-type"]) == (both, "image/png")
    assert file.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert file.headers["x-content-type-options"] == "nosniff"
    assert file.headers["cross-origin-resource-policy"] == "same-origin"
    assert file.headers["content-disposition"].startswith("attachment")
    assert file.headers["cache-control"].startswith("private")


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-7", 206, slice(0, 8)),
        ("bytes=8-", 206, slice(8, None)),
        ("bytes=-4", 206, slice(-4, None)),
        ("bytes=0-99999999", 200, slice(None)),
        ("bytes=5-2", 200, slice(None)),
        ("bytes=0-1,4-5", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
        ("bytes=99999999-", 416, slice(0, 0)),
        ("bytes=-0", 416, slice(0, 0)),
    ],
)
async def test_a_part_can_be_asked_for(site: Served, asked: str, status: int, part: slice) -> None:
    conv = await mine(site)
    await site.act("agent1", conv, "reply", text="", media=[await uploaded(site)])
    file = await got(site, conv, 3, range=asked)
    assert (file.status_code, file.content) == (status, PNG[part])
    if status == 206:
        begin, end, _ = part.indices(len(PNG))
        assert file.headers["content-range"] == f"bytes {begin}-{end - 1}/{len(PNG)}"


async def test_a_link_is_good_for_its_file_and_its_time(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    conv, other = await mine(site), await uploaded(site, PDF, "application/pdf")
    media = await uploaded(site)
    await site.act("agent1", conv, "reply", text="", media=[media])
    path = f"/v1/conversations/{conv}/messages/3/media/0"
    link = (await site.call("agent1", "GET", path)).headers["location"]
    exp = int(httpx2.URL(link).params["exp"])
    assert 230 <= exp - time.time() <= 300
    assert (await site.http.get(link)).status_code == 200
    for forged in (
        link.replace(media, other),
        link.replace(f"exp={exp}", f"exp={exp + 3600}"),
        link[:-1] + ("A" if link[-1] != "A" else "B"),
        re.sub("sig=.*", "sig=", link),
    ):
        answer = await site.http.get(forged)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), forged
    for bad in (f"/v1/media/{media}", f"/v1/media/{media}?exp=1", link + "&more=1"):
        assert (await site.http.get(bad)).status_code == 400
    late = time.time() + 301
    monkeypatch.setattr(site.node.media._links, "_now", lambda: late)
    answer = await site.http.get(link)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


async def test_strangers_get_nothing(site: Served) -> None:
    """Neither the upload, nor the file, nor a colleague's upload for a message of their own."""
    conv = await mine(site)
    media, unsent = await uploaded(site), await uploaded(site)
    await site.act("agent1", conv, "reply", text="", media=[media])
    path = f"/v1/conversations/{conv}/messages/3/media/0"
    assert (await site.call("", "GET", path)).status_code == 401
    assert (await site.call("", "POST", "/v1/media")).status_code == 401
    made = await site.call("admin", "POST", "/v1/admin/users", {"name": "Out", "id": "out"})
    assert made.is_success
    outside = await site.call("out", "GET", path)
    assert (outside.status_code, outside.json()["code"]) == (403, "forbidden")
    assert "location" not in outside.headers
    assert (await site.call("agent2", "GET", path)).status_code == 307  # a member
    theirs = await site.texts("hi", customer="+14165550177")
    await site.act("agent2", theirs, "assign")
    for stolen in (unsent, media):
        answer = await site.act("agent2", theirs, "reply", text="x", media=[stolen])
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    for nothing in ("2/media/0", "3/media/1", "3/media/x", "99/media/0", "3/media/-1"):
        answer = await site.call("agent1", "GET", f"/v1/conversations/{conv}/messages/{nothing}")
        assert answer.status_code == 404, nothing


async def test_a_node_that_lacks_the_file_says_so(site: Served, tmp_path: Path) -> None:
    conv = await mine(site)
    await site.act("agent1", conv, "reply", text="", media=[await uploaded(site)])
    (path,) = kept(tmp_path / "media")
    path.unlink()
    answer = await got(site, conv, 3)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "folder" in answer.json()["detail"]

"""Importing and exporting the address book, on a real server."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from batonbox_server.asgi import streamed
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.session.ports import Principal
from tests.integration.audit_harness import audit
from tests.integration.test_contacts import LEE, MAY, made, upload
from tests.served import Served, served
from tests.support import eventually

NASTY = [
    "=1+1",
    "@SUM(A1:A9)",
    "-2",
    "'=already",
    "''+twice",
    "'tis",
    'Lee "the boss" & Sons, Ltd; again',
    "Zoë 安部 العربية 👧",
    "\uff1dfull width",
    "a,b;c",
    "<script>alert(1)</script>",
]


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


async def export(site: Served) -> bytes:
    answer = await site.call("admin", "GET", "/v1/contacts/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    return answer.content


async def everybody(site: Served) -> list[Any]:
    found: list[Any] = []
    after: str | None = ""
    while after is not None:
        page = await site.get("admin", f"/v1/contacts?limit=200&after={after}")
        found += page["items"]
        after = page["next"]
    return found


def told(lines: list[Any]) -> list[tuple[int, str]]:
    return [(line["line"], line["outcome"]) for line in lines]


async def test_an_export_imports_as_what_it_was(site: Served, engine_url: str, prefix: str) -> None:
    for n, name in enumerate(NASTY):
        numbers = [f"+1416555{n:02}{at:02}" for at in range(n % 5)]
        await made(site, name, *numbers, note=f"{name}\n\n{name}" if n % 2 else "")
    before, text = await everybody(site), await export(site)
    assert text.startswith("\ufeff".encode())
    lines, end = await upload(site, text)
    assert {outcome for _, outcome in told(lines)} == {"unchanged"}
    assert await everybody(site) == before
    async with served(engine_url, f"{prefix}2") as other:
        for created in (len(NASTY), 0):
            _, end = await upload(other, text)
            assert (end["created"], end["error"], end["updated"]) == (created, 0, 0)

        def plain(items: list[Any]) -> list[Any]:
            return [(c["id"], c["name"], c["numbers"], c["note"]) for c in items]

        assert plain(await everybody(other)) == plain(before)
        assert await export(other) == text


async def test_a_line_is_about_whoever_has_one_of_its_numbers(site: Served) -> None:
    lee = await made(site, "Lee", LEE, note="old")
    may = await made(site, "May", MAY)
    text = "\n".join(
        [
            "name,number,number2,note",
            f"Lee,{LEE},,",  # 2: as it is: an empty note takes none away
            f"Leigh,{MAY},+14165550144,new",  # 3: May gets a name, a number, a note
            f"Both,{LEE},{MAY},",  # 4: whose?
            "Bo,+14165550145,,",  # 5
            "Bo,+14165550145,+14165550146,",  # 6: the same contact in this very file
            "Other,+14165550146,,",  # 7: contradicts line 6
            "Nobody,12,,",  # 8
        ]
    )
    dry, dry_end = await upload(site, text, "?dry_run=true")
    assert (await site.get("admin", "/v1/contacts"))["total"] == 2
    assert not [e for e in await audit(site) if "import" in e["action"]]
    lines, end = await upload(site, text)
    assert told(lines) == [
        (2, "unchanged"),
        (3, "updated"),
        (4, "error"),
        (5, "created"),
        (6, "updated"),
        (7, "error"),
        (8, "error"),
    ]
    assert told(dry) == told(lines)
    assert {**dry_end, "dry_run": False} == end
    assert lee["id"] in lines[2]["error"]
    assert may["id"] in lines[2]["error"]
    assert "Line 6" in lines[5]["error"]
    assert {k: end[k] for k in ("created", "updated", "unchanged", "error")} == {
        "created": 1,
        "updated": 2,
        "unchanged": 1,
        "error": 3,
    }
    now = await site.get("admin", f"/v1/contacts/{may['id']}")
    assert (now["name"], now["numbers"], now["note"]) == ("Leigh", [MAY, "+14165550144"], "new")
    again, end = await upload(site, text)
    assert Counter(line["outcome"] for line in again) == {"unchanged": 4, "error": 3}
    entries = [e for e in await audit(site) if e["action"].startswith("contacts_import")]
    assert [e["action"] for e in entries] == ["contacts_import_started", "contacts_imported"] * 2
    assert {(e["actor"], e["via"]) for e in entries} == {("admin", "api")}
    assert entries[1]["detail"] == {
        "created": 1, "updated": 2, "unchanged": 1, "error": 3, "whole": True,
    }  # fmt: skip


async def test_an_id_in_the_file_says_who_it_is_and_what_they_have(site: Served) -> None:
    lee = await made(site, "Lee", LEE, MAY, note="old")
    lines, _ = await upload(site, f"id,name,number,note\n{lee['id']},Leigh,{MAY},\n")
    assert told(lines) == [(2, "updated")]
    now = await site.get("admin", f"/v1/contacts/{lee['id']}")
    assert (now["name"], now["numbers"], now["note"]) == ("Leigh", [MAY], "")


async def test_lines_about_one_contact_that_disagree_do_not_undo_each_other(site: Served) -> None:
    lee = (await made(site, "Lee", LEE, MAY))["id"]
    text = "\n".join(
        [
            "id,name,number,number2,note",
            f",Leigh,{LEE},,",  # 2
            f",May,{MAY},,",  # 3: the same contact, by another number
            f"{lee},Leigh,{LEE},,",  # 4: takes a number away
            "ct_b,Bo,+14165550145,,",  # 5: has this number, and no other
            ",Bo,+14165550145,+14165550146,",  # 6
        ]
    )
    lines, _ = await upload(site, text)
    outcomes = [(2, "updated"), (3, "error"), (4, "error"), (5, "created"), (6, "error")]
    assert told(lines) == outcomes
    assert ["Line 2" in lines[1]["error"], "Line 2" in lines[2]["error"]] == [True, True]
    assert "Line 5" in lines[4]["error"]
    before = await everybody(site)
    assert Counter(line["outcome"] for line in (await upload(site, text))[0]) == {
        "unchanged": 2,
        "error": 3,
    }
    assert await everybody(site) == before


async def test_a_file_that_is_none_is_refused_before_anything_is_done(site: Served) -> None:
    headers = {"authorization": f"Bearer {await site.token('admin')}"}
    data = "name,number\nok,+14165550142\nL\xe9e,1\n".encode("latin-1")
    answer = await site.http.post("/v1/contacts/import", content=data, headers=headers)
    assert answer.status_code == 400
    assert "Line 3" in answer.json()["detail"]
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    head = ["POST /v1/contacts/import HTTP/1.1", "host: x", f"content-length: {20 * 2**20 + 1}"]
    asked = [*head, f"authorization: {headers['authorization']}", "", ""]
    writer.write("\r\n".join(asked).encode())
    assert b" 413 " in await reader.readline()
    writer.close()
    wrong = await site.call("admin", "POST", "/v1/contacts/import?region=XX")
    assert "region" in wrong.json()["detail"]
    assert (await site.get("admin", "/v1/contacts"))["total"] == 0


@pytest.mark.parametrize("count", [4_000, pytest.param(20_000, marks=pytest.mark.long)])
async def test_many_lines_while_others_work(site: Served, count: int) -> None:
    """And repeated, as after a cut, it changes nothing more."""
    rows = [f'"Customer {n}, Inc.",+1416{2_000_000 + n},"note {n}"' for n in range(count)]
    text = "\r\n".join(["name,number,note", *rows])
    begun_s, slowest_s, answered = time.monotonic(), 0.0, 0
    importing = asyncio.get_running_loop().create_task(upload(site, text))
    while not importing.done():
        asked_s = time.monotonic()
        await site.get("agent1", "/v1/contacts/lookup?numbers=+14162000000")
        slowest_s = max(slowest_s, time.monotonic() - asked_s)
        answered += 1
        await asyncio.sleep(0.02)
    _, end = await importing
    took_s = time.monotonic() - begun_s
    print(f"{count} lines in {took_s:.1f} s; the slowest look-up meanwhile {slowest_s:.3f} s")
    assert (end["created"], end["error"]) == (count, 0)
    assert answered > count / 400  # nobody waits for more than a few hundred lines
    _, end = await upload(site, text)
    assert end["unchanged"] == count
    assert len((await export(site)).splitlines()) == count + 1


async def test_an_import_that_is_cut_is_finished_by_sending_it_again(site: Served) -> None:
    rows = [f"C{n},+1416{n:07}" for n in range(2_000_000, 2_003_000)]
    text = "\n".join(["name,number", *rows])
    headers = {"authorization": f"Bearer {await site.token('admin')}"}
    got = 0
    async with site.http.stream(
        "POST", "/v1/contacts/import", content=text.encode(), headers=headers
    ) as answer:
        second = await site.http.post("/v1/contacts/import", content=text.encode(), headers=headers)
        assert second.status_code == 409, second.text
        async for line in answer.aiter_lines():
            got += msgspec.json.decode(line)["outcome"] == "created"
            if got >= 200:
                break
    for _ in range(500):
        if site.node.contacts.contacts._running is None:
            break
        await asyncio.sleep(0.01)
    cut = (await site.get("admin", "/v1/contacts?limit=1"))["total"]
    assert 200 <= cut < 3000
    _, end = await upload(site, text)
    assert (end["created"], end["unchanged"]) == (3000 - cut, cut)
    entries = [e for e in await audit(site) if e["action"] == "contacts_imported"]
    assert [e["detail"]["whole"] for e in entries] == [False, True]


async def test_who_does_not_read_the_answer_keeps_nobody_from_importing(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamed, "_STALL_S", 0.3)
    text = "name,number\n" + "".join(f"C{n},12\n" for n in range(100_000))
    head = ["POST /v1/contacts/import HTTP/1.1", "host: x", f"content-length: {len(text)}"]
    asked = [*head, f"authorization: Bearer {await site.token('admin')}", "", text]
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=1024)
    writer.write("\r\n".join(asked).encode())
    assert b" 200 " in await reader.readline()
    contacts = site.node.contacts.contacts
    assert contacts._running is not None
    await eventually(lambda: contacts._running is None, timeout_s=20)
    lines, _ = await upload(site, f"name,number\nLee,{LEE}\n")
    assert told(lines) == [(2, "created")]
    writer.close()


async def test_an_import_and_an_export_outlast_the_engine(
    engine: EmbeddedEngine, prefix: str
) -> None:
    rows = [f"C{n},+1416{n:07}" for n in range(2_000_000, 2_004_000)]
    text = "\n".join(["name,number", *rows])
    async with served(engine.url, prefix) as site:
        headers = {"authorization": f"Bearer {await site.token('admin')}"}
        counts: Counter[str] = Counter()
        async with site.http.stream(
            "POST", "/v1/contacts/import", content=text.encode(), headers=headers, timeout=60
        ) as answer:
            async for line in answer.aiter_lines():
                counts[msgspec.json.decode(line).get("outcome", "end")] += 1
                if counts.total() == 500:
                    os.kill(engine.pid, signal.SIGKILL)
        assert (counts["created"] + counts["unchanged"], counts["end"]) == (4000, 1)
        chunks = await site.node.exports.organisation(Principal("admin", "admin"))
        data = await anext(chunks)
        os.kill(engine.pid, signal.SIGKILL)
        await eventually(lambda: not site.node.client.state)
        async for chunk in chunks:
            data += chunk
        end = msgspec.json.decode(data.splitlines()[-1])
        assert end["kind"] == "end", end
        assert end["counts"]["contact"] == 4000

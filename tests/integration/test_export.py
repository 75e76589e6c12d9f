"""Exports over HTTP: all that its maker may see and nothing else, whole or noticeably not."""

from __future__ import annotations

import asyncio
import base64
import csv
import gc
import hashlib
import io
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batonbox_server.domain.model import Role, is_room
from batonbox_server.domain.policy import Scope
from batonbox_server.node_export import operator_export
from batonbox_server.session.ports import Principal
from tests.integration.audit_harness import audit
from tests.served import CUSTOMER, SALES, SUPPORT, Served, served

SOURCE = "batonbox_server.service.export_source.PAGE"


@pytest.fixture
async def site(engine_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[Served]:
    """A node with an archive, into which nothing moves by itself."""
    url = f"sqlite://{tmp_path}/archive.sqlite"
    async with served(engine_url, prefix, archive_url=url, archive_sweep_s=3600.0) as site:
        yield site


def parsed(data: bytes) -> list[dict[str, Any]]:
    """The lines of an export that is whole."""
    lines = data.splitlines(keepends=True)
    found = [msgspec.json.decode(line) for line in lines]
    assert [line["kind"] for line in found].index("end") == len(found) - 1
    before = b"".join(lines[:-1])
    assert found[-1]["sha256"] == hashlib.sha256(before).hexdigest()
    assert found[-1]["counts"] == Counter(line["kind"] for line in found[:-1])
    assert found[0]["kind"] == "header"
    return found


async def export(site: Served, user: str = "admin") -> list[dict[str, Any]]:
    answer = await site.call(user, "GET", "/v1/export")
    assert answer.status_code == 200, answer.text
    return parsed(answer.content)


def threads(lines: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Messages by conversation; each conversation once, whole, and in one piece."""
    found: dict[str, list[dict[str, Any]]] = {}
    last = ""
    for line in lines:
        if line["kind"] in {"conversation", "room"}:
            assert line["id"] not in found, "exported twice"
            found[line["id"]] = []
            last, n = line["id"], line["n"]
            left = n
        elif line["kind"] == "message":
            assert line["conv"] == last
            found[last].append(line)
            left -= 1
            assert line["n"] == n - left
    return found


def texts_of(thread: list[dict[str, Any]]) -> list[str]:
    return [line["body"]["text"] for line in thread if (line["body"] or {}).get("text")]


async def room(site: Served, by: str, /, **body: Any) -> str:
    path = "/v1/rooms/direct" if "user" in body else "/v1/rooms"
    made = await site.call(by, "POST", path, body)
    assert made.is_success, made.text
    return str(made.json()["conv"])


async def post(site: Served, user: str, where: str, text: str) -> None:
    done = await site.call(user, "POST", f"/v1/rooms/{where}/post", {"text": text})
    assert done.is_success, done.text


async def archive(site: Served, conv: str, *, row: bool) -> None:
    """Move a conversation's lines out of the engine, and its row too."""
    store, away = site.node.store, site.node.archive
    await away.claim()
    out = await store.lines_out(conv=conv, keep=0 if row else 2)
    assert out.lines
    await away.put_lines(conv=conv, lines=out.lines)
    assert await store.trim(conv=conv, out=out) == len(out.lines)
    if row:
        gone = await store.row_out(conv=conv)
        assert gone is not None
        await away.put_row(gone)
        assert await store.evict(row=gone)


async def test_it_is_what_was_written_whatever_is_archived(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SOURCE, 7)
    written: dict[str, list[str]] = {}
    for n in range(30):
        customer, to = f"+1416555{n:04}", (SALES, SUPPORT)[n % 2]
        for i in range(1 + 11 * (n % 3)):
            conv = await site.texts(f"{n} says {i}", to=to, customer=customer)
            written.setdefault(conv, []).append(f"{n} says {i}")
        if n % 3 == 2:
            note = await site.act("admin", conv, "note", text=f"note on {n}")
            assert note.is_success
            written[conv].append(f"note on {n}")
        if n % 2 and n % 3:
            await archive(site, conv, row=False)
        elif n % 4 == 0:
            done = await site.act("admin", conv, "done", seen=(await seen(site, conv)))
            assert done.is_success, done.text
            await archive(site, conv, row=True)
    lines = await export(site)
    found = {conv: thread for conv, thread in threads(lines).items() if not is_room(conv)}
    assert {conv: texts_of(thread) for conv, thread in found.items()} == written
    for conv, thread in found.items():
        shown = await site.get("admin", f"/v1/conversations/{conv}/messages?limit=200")
        told = [{**line, "kind": line["event"]} for line in thread]
        for line in told:
            del line["event"], line["conv"]
        assert told == shown["items"]
        row = next(line for line in lines if line.get("id") == conv)
        now = await site.get("admin", f"/v1/conversations/{conv}")
        assert all(now[name] == value for name, value in row.items() if name != "kind")
    counts = lines[0]["counts"]
    assert (counts["conversation"], counts["user"]) == (30, len(site.node.directory.users))
    (entry,) = [e for e in await audit(site) if e["action"] == "organisation_exported"]
    assert (entry["actor"], entry["via"]) == ("admin", "api")


async def seen(site: Served, conv: str) -> str:
    return str((await site.get("admin", f"/v1/conversations/{conv}"))["in_seq"])


async def test_what_its_maker_may_not_see_is_not_in_it(site: Served) -> None:
    mine = await room(site, "admin", name="mine", members=["agent1"])
    direct = await room(site, "admin", user="agent1")
    others = await room(site, "agent1", user="agent2")
    private = await room(site, "admin", name="theirs", private=True, members=["agent1"])
    for where, user, word in [
        (mine, "agent1", "zebra"),
        (direct, "agent1", "yellow"),
        (others, "agent2", "xylophone"),
        (private, "agent1", "walrus"),
    ]:
        await post(site, user, where, word)
    left = await site.call("admin", "POST", f"/v1/rooms/{private}/leave", {})
    assert left.is_success, left.text
    contact = {"name": "Lee", "numbers": [CUSTOMER]}
    assert (await site.call("agent1", "POST", "/v1/contacts", contact)).is_success
    answer = await site.call("admin", "GET", "/v1/export")
    for word, there in [("zebra", 1), ("yellow", 1), ("xylophone", 0), ("walrus", 0)]:
        assert (word in answer.text) == bool(there), word
    for name in (others, private, "password", "bb_"):
        assert name not in answer.text
    lines = parsed(answer.content)
    rooms = {line["id"]: line for line in lines if line["kind"] == "room"}
    assert rooms[mine]["members"] == ["admin", "agent1"]
    assert (rooms[direct]["room_kind"], rooms[mine]["room_kind"]) == ("direct", "public")
    assert [line["name"] for line in lines if line["kind"] == "contact"] == ["Lee"]
    assert {line["number"] for line in lines if line["kind"] == "number"} >= {SALES, SUPPORT}
    for where, code in [(others, "not_found"), (private, "forbidden")]:
        refused = await site.call("admin", "GET", f"/v1/rooms/{where}/export")
        assert refused.json()["code"] == code
    for where, word in [(mine, "zebra"), (direct, "yellow")]:
        assert word in (await site.call("admin", "GET", f"/v1/rooms/{where}/export")).text


async def test_it_takes_an_admin_and_a_key_that_may_read(site: Served) -> None:
    conv = await site.texts("hello")
    mine = await room(site, "admin", name="mine")
    _, unread = await site.node.identity.make_token(user="admin", scopes=(Scope.ADMIN,))
    for path in ("/v1/export", f"/v1/conversations/{conv}/export", f"/v1/rooms/{mine}/export"):
        assert (await site.call("agent1", "GET", path)).status_code == 403
        headers = {"authorization": f"Bearer {unread}"}
        assert (await site.http.get(path, headers=headers)).status_code == 403
    assert not [e for e in await audit(site) if e["action"].endswith("_exported")]


async def test_while_people_write_each_conversation_is_whole_and_none_comes_twice(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SOURCE, 3)
    convs = [await site.texts("hi", customer=f"+1416555{n:04}") for n in range(40)]
    stop = asyncio.Event()

    async def write(offset: int) -> None:
        n = offset
        while not stop.is_set():
            await site.texts(f"more {n}", customer=f"+1416555{n % 45:04}")
            n += 7

    writers = [asyncio.get_running_loop().create_task(write(n)) for n in range(3)]
    try:
        for _ in range(3):
            lines = await export(site)
            found = threads(lines)
            assert set(convs) <= found.keys()
            rows = {line["id"]: line for line in lines if line["kind"] == "conversation"}
            for conv, thread in [(conv, found[conv]) for conv in rows]:
                assert [line["n"] for line in thread] == list(range(1, rows[conv]["n"] + 1))
                assert thread[-1]["body"]["text"] == rows[conv]["preview"]
    finally:
        stop.set()
        await asyncio.gather(*writers)


async def test_it_tells_how_far_it_is_and_stops_when_its_reader_goes(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batonbox_server.service.export._BEAT_CONVERSATIONS", 5)
    for n in range(20):
        await site.texts("hi", customer=f"+1416555{n:04}")
    steps = [line for line in await export(site) if line["kind"] == "progress"]
    assert len(steps) >= 4
    assert [s["done"] for s in steps] == sorted(s["done"] for s in steps)
    assert steps[-1]["total"] >= 20
    who = Principal("admin", "admin")
    running = site.node.exports._running
    chunks = await site.node.exports.organisation(who)
    await anext(chunks)
    assert len(running) == 1
    del chunks
    for _ in range(100):
        gc.collect()
        if not running:
            break
        await asyncio.sleep(0.01)
    assert not running


async def test_an_export_that_cannot_go_on_has_no_end(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SOURCE, 1)
    await site.node.administration.edit_user("agent3", name=None, role=Role.ADMIN)
    for n in range(5):
        await site.texts("hi", customer=f"+1416555{n:04}")
    chunks = await site.node.exports.organisation(Principal("agent3", "admin"))
    data = await anext(chunks)
    await site.node.administration.edit_user("agent3", name=None, role=Role.MEMBER)
    async for chunk in chunks:
        data += chunk
    last = msgspec.json.decode(data.splitlines()[-1])
    assert (last["kind"], last["code"]) == ("error", "forbidden")
    assert b'"kind":"end"' not in data


async def test_the_operator_reads_a_channel_that_everybody_has_left(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SOURCE, 3)
    where = await room(site, "admin", name="left", private=True)
    for n in range(20):
        await post(site, "admin", where, f"post {n}")
    await archive(site, where, row=False)
    left = await site.call("admin", "POST", f"/v1/rooms/{where}/leave", {})
    assert left.is_success, left.text
    chunks = [chunk async for chunk in await operator_export(site.node, direct=False)]
    thread = threads(parsed(b"".join(chunks)))[where]
    assert texts_of(thread) == [f"post {n}" for n in range(20)]
    assert [line["n"] for line in thread] == list(range(1, 23))
    # Erased for everybody, and in the archive not yet.
    assert (await site.node.store.purge(conv=where, upto=5)).n == 5
    chunks = [chunk async for chunk in await operator_export(site.node, direct=False)]
    told = [line for line in parsed(b"".join(chunks)) if line.get("conv") == where]
    assert [line["n"] for line in told if "event" in line] == list(range(6, 23))


async def talk(site: Served) -> str:
    """A conversation with something of everything."""
    contact = {"name": "Lee <& Sons>", "numbers": [CUSTOMER]}
    assert (await site.call("agent1", "POST", "/v1/contacts", contact)).is_success
    conv = await site.texts("<script>alert('in')</script> &amp; Grüße")
    for verb, more in [
        ("assign", {}),
        ("reply", {"text": "=1+1 </p><b>"}),
        ("note", {"text": "secret\nsecond line"}),
        ("transfer", {"to": "agent2", "note": "yours"}),
    ]:
        done = await site.act("agent1", conv, verb, **more)
        assert done.is_success, done.text
    await site.phone_with(1)
    return conv


async def test_a_conversation_as_json_is_what_the_api_says(site: Served) -> None:
    conv = await talk(site)
    answer = await site.call("admin", "GET", f"/v1/conversations/{conv}/export")
    found = answer.json()
    shown = await site.get("admin", f"/v1/conversations/{conv}")
    assert found["messages"] == shown["messages"]
    assert found["conversation"] == {
        name: value for name, value in shown.items() if not name.startswith("messages")
    }
    assert found["contact"]["name"] == "Lee <& Sons>"
    assert found["people"].keys() == {"agent1", "agent2"}
    assert found["complete"] is True
    entry = (await audit(site, conv=conv))[-1]
    assert (entry["action"], entry["actor"]) == ("conversation_exported", "admin")
    assert (entry["inbox"], entry["detail"]) == ("sales", {"format": "json"})


async def test_a_conversation_as_csv_has_no_formula(site: Served) -> None:
    conv = await talk(site)
    path = f"/v1/conversations/{conv}/export?format=csv&zone=America/Toronto"
    answer = await site.call("admin", "GET", path)
    assert answer.headers["content-type"].startswith("text/csv")
    head, *rows = csv.reader(io.StringIO(answer.text.lstrip("\ufeff"), newline=""))
    told = [dict(zip(head, row, strict=True)) for row in rows]
    assert [(r["kind"], r["by"], r["name"]) for r in told] == [
        ("received", "", "Lee <& Sons>"),
        ("assigned", "agent1", site.node.directory.users["agent1"].name),
        ("replied", "agent1", site.node.directory.users["agent1"].name),
        ("noted", "agent1", site.node.directory.users["agent1"].name),
        ("transferred", "agent1", site.node.directory.users["agent1"].name),
    ]
    assert told[2]["text"] == "'=1+1 </p><b>"
    assert told[3]["text"] == "secret\nsecond line"
    assert told[4]["text"].endswith(": yours")
    assert re.search(r"-0[45]:00$", told[0]["at"])
    wrong = await site.call("admin", "GET", f"/v1/conversations/{conv}/export?zone=Mars/North")
    assert (wrong.status_code, "zone" in wrong.json()["detail"]) == (400, True)


async def test_a_conversation_as_a_page_runs_nothing_and_shows_all(site: Served) -> None:
    conv = await talk(site)
    path = f"/v1/conversations/{conv}/export?format=html&zone=Europe/Berlin"
    answer = await site.call("admin", "GET", path)
    assert answer.headers["content-type"].startswith("text/html")
    page = answer.text
    assert "<script" not in page
    assert "<b>" not in page
    for shown in (
        "&lt;script&gt;alert(&#x27;in&#x27;)&lt;/script&gt; &amp;amp; Grüße",
        "=1+1 &lt;/p&gt;&lt;b&gt;",
        "Internal note",
        "secret\nsecond line",
        "Lee &lt;&amp; Sons&gt;",
        'class="divider"',
        "End of the export.",
    ):
        assert shown in page
    assert re.search(r"\d\d:\d\d:\d\d CES?T<", page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "sandbox" in policy

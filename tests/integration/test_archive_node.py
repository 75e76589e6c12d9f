"""A whole node and its archive: what people and operators see of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from batonbox_server.archive.adopting import Adopted
from batonbox_server.archive.sqlite import SqliteArchive
from batonbox_server.config import ConfigError, Settings
from batonbox_server.domain.model import inbox_of, is_room
from batonbox_server.node import Node, Organisation
from batonbox_server.node_archive import adopt_archive
from batonbox_server.service.intake import AWAITED, Inbound
from tests.chaos.processes import Server, serving
from tests.integration.store_harness import refused
from tests.integration.test_cli import run
from tests.served import CUSTOMER, SALES, Served, served
from tests.support import eventually

EAGER: dict[str, Any] = {
    "archive_keep_messages": 5,
    "archive_sweep_s": 0.02,
    "job_lease_s": 0.2,
}


@asynccontextmanager
async def archiving(url: str, space: str, folder: Path, **more: Any) -> AsyncIterator[Served]:
    """A node on a shared engine, with a file for its archive."""
    given = {**EAGER, "archive_url": f"sqlite://{folder}/archive.sqlite", **more}
    async with served(url, space, **given) as it:
        yield it


async def until(node: Served, condition: Callable[[Any], bool]) -> None:
    """Until the archive's status is so."""
    for _ in range(500):
        if condition(await node.node.archive.status()):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(await node.node.archive.status())


async def away(node: Served, conv: str) -> None:
    """Until the oldest messages of a conversation are in the archive alone."""
    key = f"{node.node.keys.inbox(inbox_of(conv))}:c:{conv}"
    for _ in range(500):
        if await node.node.client.execute("HGET", key, "trimmed") not in {None, b"0"}:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nothing moved")


async def texts_of(node: Served, conv: str) -> list[str]:
    """What admin reads of it, twenty at a time."""
    found: list[str] = []
    before = 0
    while True:
        where = f"rooms/{conv}" if is_room(conv) else f"conversations/{conv}"
        page = await node.get("admin", f"/v1/{where}/messages?limit=20&before={before}")
        found = [m["body"]["text"] for m in page["items"] if m["body"].get("text")] + found
        if not page["next"]:
            return found
        before = page["next"]


async def ready(node: Served) -> dict[str, Any]:
    """What /readyz says; the node is ready."""
    answer: dict[str, Any] = await node.get("admin", "/readyz")
    return answer


async def test_messages_and_posts_move_and_are_read_as_before(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    async with archiving(engine_url, prefix, tmp_path) as node:
        for number in range(30):
            conv = await node.texts(f"message {number}")
        made = await node.call("admin", "POST", "/v1/rooms/direct", {"user": "agent1"})
        assert made.is_success, made.text
        room = made.json()["conv"]
        for number in range(30):
            path = f"/v1/rooms/{room}/post"
            assert (await node.call("admin", "POST", path, {"text": f"post {number}"})).is_success
        await away(node, conv)
        await away(node, room)
        assert await texts_of(node, conv) == [f"message {number}" for number in range(30)]
        assert await texts_of(node, room) == [f"post {number}" for number in range(30)]
        assert (await ready(node))["archive"] == "ok"
        metrics = (await node.http.get("/metrics")).text
        assert "batonbox_archive_stuck 0.0" in metrics
        assert "batonbox_archive_lines_moved 0.0" not in metrics


async def test_another_archive_is_told_in_readyz_and_the_node_serves(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    async with archiving(engine_url, prefix, tmp_path) as node:
        for number in range(20):
            conv = await node.texts(f"message {number}")
        await away(node, conv)
    other = SqliteArchive(tmp_path / "other.sqlite")
    name = (await other.status()).id
    await other.aclose()
    url = f"sqlite://{tmp_path}/other.sqlite"
    async with archiving(engine_url, prefix, tmp_path, archive_url=url) as node:
        for _ in range(500):
            told = await ready(node)
            if told["archive"] != "ok":
                break
            await asyncio.sleep(0.02)
        assert told["ready"] is True and name in told["archive"]
        path = f"/v1/conversations/{conv}/messages?limit=50"
        page = await node.get("admin", path)
        assert 0 < len(page["items"]) < 20, "what is in the engine is read all the same"
        answer = await node.call("admin", "GET", f"{path}&before={page['next']}")
        assert answer.status_code == 503
        assert name in answer.json()["detail"]
    async with archiving(engine_url, prefix, tmp_path) as node:
        assert len(await texts_of(node, conv)) == 20


async def test_without_an_archive_everything_stays_in_the_engine(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix, **EAGER) as node:
        for number in range(20):
            conv = await node.texts(f"message {number}")
        await asyncio.sleep(0.1)
        assert (await ready(node))["archive"] == "none"
        assert len(await texts_of(node, conv)) == 20


async def test_the_command_line_tells_how_it_goes(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with serving(folder, **EAGER) as server:
        await talk(server)
        status, out, _err = await run("archive", "status", data_dir=folder)
        assert status == 0
        assert out.startswith("archive        sqlite ")
        # However many had come when a sweep looked: beyond ten of them all but five move.
        (moved,) = re.findall(r"messages +(\d+)\n", out)
        assert 6 <= int(moved) <= 15 and "waiting        0\n" in out
    vanish(folder)
    status, out, _err = await run("archive", "status", data_dir=folder)
    assert status == 1
    assert "put it back" in out


async def talk(server: Server) -> None:
    """A customer writes twenty messages, and what may move has moved."""
    headers = {"authorization": f"Bearer {await server.token()}"}
    async with httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=10) as http:
        for number in range(20):
            body = {"from": CUSTOMER, "to": SALES, "text": f"message {number}"}
            assert (await http.post("/v1/loopback/inbound", json=body)).is_success
        for _ in range(500):
            told = (await http.get("/metrics")).text
            moved = re.search(r"^batonbox_archive_lines_moved (\d+)", told, re.MULTILINE)
            if moved and int(moved[1]) > 5 and "batonbox_archive_waiting 0.0" in told:
                return
            await asyncio.sleep(0.05)
    raise AssertionError("nothing moved")


def vanish(folder: Path) -> None:
    """The archive's files are lost."""
    for file in list(folder.glob("archive.sqlite*")):
        file.unlink()


async def test_before_anything_has_moved_another_archive_may_be_chosen(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    async with archiving(engine_url, prefix, tmp_path) as node:
        await node.texts("one")
        assert (await ready(node))["archive"] == "ok"
    url = f"sqlite://{tmp_path}/other.sqlite"
    async with archiving(engine_url, prefix, tmp_path, archive_url=url) as node:
        for number in range(20):
            conv = await node.texts(f"message {number}")
        await away(node, conv)
        assert (await ready(node))["archive"] == "ok"


async def adopted(url: str, prefix: str, folder: Path, to: str, **how: Any) -> Adopted:
    """As `archive adopt` does it, while no server runs."""
    given: dict[str, Any] = {"redis_url": url, "key_space": prefix, "data_dir": str(folder)}
    given["archive_url"] = f"sqlite://{folder}/{to}.sqlite"
    organisation = Organisation(Settings(**given))
    try:
        await organisation.open()
        return await adopt_archive(organisation, **{"source": "", "give_up": False, **how})
    finally:
        await organisation.close()


async def test_another_archive_takes_over_with_everything_or_with_nothing(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    given: dict[str, Any] = {**EAGER, "archive_done_days": 0}
    async with archiving(engine_url, prefix, tmp_path, **given) as node:
        done = await node.texts("one", customer="+14165550171")
        own_tok = (await node.act("agent1", done, "assign")).json()["own_tok"]
        await node.act("agent1", done, "done", own_tok=own_tok)
        for number in range(20):
            conv = await node.texts(f"message {number}")
        await until(node, lambda status: status.rows == 1)
        await away(node, conv)
    wrong = f"sqlite://{tmp_path}/empty.sqlite"
    error = await refused(adopted(engine_url, prefix, tmp_path, "other", source=wrong))
    assert error.slug == "conflict"
    assert (await adopted(engine_url, prefix, tmp_path, "other")).rows == 1
    other = f"sqlite://{tmp_path}/other.sqlite"
    async with archiving(engine_url, prefix, tmp_path, archive_url=other, **given) as node:
        assert await texts_of(node, conv) == [f"message {number}" for number in range(20)]
        assert await texts_of(node, done) == ["one"]
        assert (await ready(node))["archive"] == "ok"
    nothing = await adopted(engine_url, prefix, tmp_path, "third", give_up=True)
    assert (nothing.lines, nothing.rows) == (0, 0)
    third = f"sqlite://{tmp_path}/third.sqlite"
    async with archiving(engine_url, prefix, tmp_path, archive_url=third, **given) as node:
        path = f"/v1/conversations/{conv}/messages?limit=50&before=4"
        assert (await node.call("admin", "GET", path)).status_code == 503
        for number in range(20, 40):
            await node.texts(f"message {number}")
        await until(node, lambda status: status.lines > 0)


async def test_a_message_is_kept_while_the_archive_has_its_conversation_and_cannot_be_read(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    """It is in its conversation once the archive is back, once, however often it was sent."""
    archive = tmp_path / "archive"
    archive.mkdir()
    async with archiving(engine_url, prefix, archive, archive_done_days=0) as node:
        conv = await node.texts("one")
        own_tok = (await node.act("agent1", conv, "assign")).json()["own_tok"]
        await node.act("agent1", conv, "done", own_tok=own_tok)
        await until(node, lambda status: status.rows == 1)
        await gone_from_engine(node, conv)
        archive.rename(tmp_path / "unplugged")
        intake = node.node.intake
        again = Inbound("loopback", "p2", SALES, CUSTOMER, "two")
        for message in (again, again, replace(again, provider_id="p3", text="three")):
            assert (await refused(intake.receive(message))).slug == "unavailable"
        kept = await node.get("admin", "/v1/admin/unrouted")
        assert [(one["text"], one["reason"]) for one in kept["items"]] == [
            ("three", AWAITED),
            ("two", AWAITED),
        ]
        (tmp_path / "unplugged").rename(archive)
        await eventually(lambda: node.node.archiver.trouble == "", what="the archive again")
        for _ in range(500):
            if not (await node.get("admin", "/v1/admin/unrouted"))["items"]:
                break
            await asyncio.sleep(0.02)
        assert await texts_of(node, conv) == ["one", "two", "three"]
        assert (await intake.receive(again)).duplicate


async def gone_from_engine(node: Served, conv: str) -> None:
    """Until the conversation is in the archive alone."""
    key = f"{node.node.keys.inbox(inbox_of(conv))}:c:{conv}"
    for _ in range(500):
        if not await node.node.client.execute("EXISTS", key):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it stays")


async def test_a_url_of_no_archive_is_told_at_the_start(tmp_path: Path) -> None:
    async def opened() -> None:
        node = Node(Settings(archive_url="mysql://somewhere", data_dir=str(tmp_path)))
        try:
            await node.open()
        finally:
            await node.close()

    with pytest.raises(ConfigError, match="BATONBOX_ARCHIVE_URL"):
        await opened()

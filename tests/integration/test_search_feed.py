"""The index follows its logs: late nodes, lost files, cut and rewritten logs, old messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from batonbox_server.errors import Refused
from batonbox_server.service.search_port import Hit, Message, Move
from batonbox_server.store.connect import EngineClient
from tests.integration.search_harness import customers, found, said, settled
from tests.served import SALES, SUPPORT, Served, served


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A node of the test's own."""
    async with served(engine_url, prefix) as site:
        yield site


async def direct(site: Served, text: str, *, to: str = "agent2") -> tuple[str, int]:
    """A direct message from agent1: the room and the number of the post."""
    opened = await site.call("agent1", "POST", "/v1/rooms/direct", {"user": to})
    room = str(opened.json()["conv"])
    done = await site.call("agent1", "POST", f"/v1/rooms/{room}/post", {"text": text})
    return room, int(done.json()["n"])


async def hits(site: Served, q: str, *logs: str) -> list[Hit]:
    """Straight from the node's index, as it is."""
    kinds = frozenset({"message"})
    return (await site.node.search.index.find(q, logs=logs, kinds=kinds, after="", n=50))[0]


async def soon(site: Served, q: str, *logs: str, count: int = 1) -> list[Hit]:
    """Once the index has so many of them, without anybody asking it to look."""
    for _ in range(1000):
        try:
            if len(got := await hits(site, q, *logs)) >= count:
                return got
        except Refused:  # of an index that cannot be asked yet
            pass
        await asyncio.sleep(0.01)
    raise AssertionError(f"{q} never came")


async def test_what_is_written_here_is_found_at_once(site: Served) -> None:
    await settled(site)
    site.node.search.feed._swept_s = float("inf")  # no sweep comes to help
    conv = await site.texts("a wombat", customer=customers())
    assert [hit.conv for hit in await soon(site, "wombat", "sales")] == [conv]


async def test_what_another_node_writes_is_found(
    site: Served, engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as other:
        await other.texts("a wombat", customer=customers())
        room, n = await direct(other, "another wombat")
        got = await soon(site, "wombat", "sales", room, count=2)
        assert (room, n) in {(hit.conv, hit.n) for hit in got}


async def test_logs_that_moved_on_are_written_together(site: Served) -> None:
    await settled(site)
    feed, index = site.node.search.feed, site.node.search.index
    await feed.aclose()
    for to in (SALES, SUPPORT):
        await site.texts("a wombat", to=to, customer=customers())
    written: list[set[str]] = []
    keep = index.apply_all

    async def apply_all(moves: Sequence[Move]) -> None:
        written.append({move.log for move in moves})
        await keep(moves)

    index.apply_all = apply_all  # type: ignore[method-assign]
    feed.start()
    await settled(site)
    assert written == [{"sales", "support"}]


async def test_one_log_that_cannot_be_read_holds_up_no_other(
    site: Served, client: EngineClient, prefix: str
) -> None:
    await settled(site)
    await site.node.search.feed.aclose()
    for to in (SALES, SUPPORT):
        await site.texts("a wombat", to=to, customer=customers())
    log = f"{prefix}{{ib:sales}}:log"
    entries = await client.execute("XRANGE", log, "-", "+")
    await client.execute("DEL", log)
    for name, fields in entries:
        told = dict(zip(fields[::2], fields[1::2], strict=True))
        frame = b"no frame" if name == entries[-1][0] else told[b"f"]
        await client.execute("XADD", log, name, "f", frame, "p", told[b"p"])
    site.node.search.feed.start()
    assert len(await soon(site, "wombat", "support")) == 1


async def test_a_node_that_joins_late_reads_everything(
    site: Served, engine_url: str, prefix: str
) -> None:
    customer = customers()
    for n in range(130):  # more lines than one scan of rows brings
        await site.texts(f"wombat {n}", customer=customer)
    convs = [await site.texts("wombat", customer=customers()) for _ in range(60)]
    room, _ = await direct(site, "a wombat between us")
    async with served(engine_url, prefix) as late:
        assert len(await found(late, "agent1", "wombat")) == 50
        index = late.node.search.index
        kinds, after, seen = frozenset({"message"}), "", []
        while True:
            got, after = await index.find(
                "wombat", logs=["sales", room], kinds=kinds, after=after, n=50
            )
            seen += [(hit.conv, hit.n) for hit in got]
            if not after:
                break
        assert len(seen) == len(set(seen)) == 130 + 60 + 1
        assert {conv for conv, _ in seen} > set(convs)
        assert late.node.search.feed.progress.complete


async def test_it_goes_on_where_it_stood(engine_url: str, prefix: str, tmp_path: Path) -> None:
    folder = str(tmp_path)
    async with served(engine_url, prefix, search_dir=folder) as site:
        await site.texts("a wombat", customer=customers())
        await settled(site)
        before = await site.node.search.index.places()
    async with served(engine_url, prefix) as other:
        await other.texts("a quokka", customer=customers())
    async with served(engine_url, prefix, search_dir=folder) as site:
        restarted: list[str] = []
        keep = site.node.search.index.restart

        async def restart(log: str, **more: object) -> None:
            restarted.append(log)
            await keep(log, **more)  # type: ignore[arg-type]

        site.node.search.index.restart = restart  # type: ignore[method-assign]
        assert len(await said(site, "agent1", "quokka")) == 1
        assert len(await said(site, "agent1", "wombat")) == 1
        assert restarted == []
        after = await site.node.search.index.places()
        assert after["sales"].seq > before["sales"].seq


@pytest.mark.parametrize("what", ["cut", "rewritten", "another"])
async def test_a_log_that_does_not_continue_is_read_again(
    engine_url: str, prefix: str, tmp_path: Path, client: EngineClient, what: str
) -> None:
    folder = str(tmp_path)
    async with served(engine_url, prefix, search_dir=folder) as site:
        conv = await site.texts("a wombat", customer=customers())
        await settled(site)
        index = site.node.search.index
        place = (await index.places())["sales"]
        void = Message(conv, 99, 1, "what the log does not have any more")
        await index.apply("sales", [void], place=place)
    log = f"{prefix}{{ib:sales}}"
    async with served(engine_url, prefix) as other:
        if what == "rewritten":  # as a failover that lost the last events leaves it
            await client.execute("HSET", f"{log}:meta", "tip", "0" * 16)
        await other.texts("a quokka", customer=customers())
        if what == "cut":
            await client.execute("XTRIM", f"{log}:log", "MAXLEN", "0")
        if what == "another":
            await client.execute("HSET", f"{log}:meta", "epoch", "f" * 16)
    async with served(engine_url, prefix, search_dir=folder) as site:
        assert len(await said(site, "agent1", "quokka")) == 1
        assert len(await said(site, "agent1", "wombat")) == 1
        assert await hits(site, "any more", "sales") == []
        place = (await site.node.search.index.places())["sales"]
        assert place.epoch == (await client.execute("HGET", f"{log}:meta", "epoch")).decode()


async def test_a_log_whose_last_entry_is_another_is_read_again(
    site: Served, client: EngineClient, prefix: str
) -> None:
    await site.texts("a wombat", customer=customers())
    await settled(site)
    await client.execute("HSET", f"{prefix}{{ib:sales}}:meta", "tip", "f" * 16)
    assert len(await said(site, "agent1", "wombat")) == 1
    assert (await site.node.search.index.places())["sales"].tip == "f" * 16


async def test_a_damaged_index_is_made_anew_while_the_node_serves(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    folder = str(tmp_path)
    async with served(engine_url, prefix, search_dir=folder) as site:
        for n in range(50):
            await site.texts(f"a wombat {n} " + "and much more " * 20, customer=customers())
        await settled(site)
    file = tmp_path / "search.sqlite"
    whole = file.read_bytes()
    half = len(whole) // 2 // 4096 * 4096
    file.write_bytes(whole[:half] + b"\xff" * (len(whole) - half))
    async with served(engine_url, prefix, search_dir=folder) as site:
        for _ in range(500):
            await site.texts("one more wombat", customer=customers())
            try:
                if len(await said(site, "agent1", "wombat")) == 50:
                    break
            except (AssertionError, Refused):
                await asyncio.sleep(0.01)  # what meets the damage is refused, and may be repeated
        assert len(await said(site, "agent1", "wombat and much")) == 50


async def test_a_deleted_inbox_leaves_the_index(site: Served) -> None:
    await site.texts("a wombat", customer=customers())
    await settled(site)
    assert await hits(site, "wombat", "sales")
    done = await site.call("admin", "DELETE", "/v1/admin/inboxes/sales?confirm=sales")
    assert done.is_success, done.text
    await settled(site)
    assert await hits(site, "wombat", "sales") == []
    assert "sales" not in await site.node.search.index.places()


async def test_contacts_of_before_are_found(site: Served, engine_url: str, prefix: str) -> None:
    for n in range(3):
        body = {"name": f"Wombat {n}", "numbers": [f"+1416555{n:04}"], "note": ""}
        assert (await site.call("agent1", "POST", "/v1/contacts", body)).is_success
    async with served(engine_url, prefix) as late:
        await settled(late)
        answer = await late.get("agent1", "/v1/search?q=wombat&kinds=contacts")
        assert sorted(hit["contact"]["name"] for hit in answer["contacts"]) == [
            "Wombat 0",
            "Wombat 1",
            "Wombat 2",
        ]


async def test_the_answer_says_how_far_the_index_is(site: Served) -> None:
    await site.texts("a wombat", customer=customers())
    await settled(site)
    answer = await site.get("agent1", "/v1/search?q=wombat")
    assert answer["index"]["complete"] is True
    assert answer["index"]["behind"] == 0
    metrics = (await site.http.get("/metrics")).text
    assert "batonbox_search_complete 1.0" in metrics
    await site.node.search.feed.aclose()
    await site.node.search.index.clear()
    site.node.search.feed.look()
    answer = await site.get("agent1", "/v1/search?q=wombat")
    assert (answer["messages"], answer["index"]["complete"]) == ([], False)


async def test_a_search_while_it_is_rebuilt_finds_what_is_there_and_says_so(site: Served) -> None:
    for n in range(120):
        await site.texts(f"wombat {n}", customer=customers())
    await settled(site)
    with capture_logs() as logs:
        await site.node.search.feed.rebuild()
    (replaced,) = (line for line in logs if line["event"] == "search_index_replaced")
    assert (replaced["log_level"], replaced["reason"]) == ("info", "asked for")
    seen: list[tuple[bool, int]] = []
    while not seen or not seen[-1][0]:
        answer = await site.get("agent1", "/v1/search?q=wombat&kinds=messages&limit=50")
        seen.append((answer["index"]["complete"], len(answer["messages"])))
    assert seen[-1] == (True, 50)  # what calls itself complete has everything
    assert sorted(count for _, count in seen) == [count for _, count in seen]


async def test_a_node_that_cannot_write_its_index_serves_without(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.write_text("a file stands where the folder should be")
    async with served(engine_url, prefix, search_dir=str(folder)) as site:
        conv = await site.texts("a wombat", customer=customers())
        answer = await site.call("agent1", "GET", "/v1/search?q=wombat")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert (await site.http.get("/readyz")).status_code == 200
        folder.unlink()  # room is made, and the node finds it by itself
        assert [hit.conv for hit in await soon(site, "wombat", "sales")] == [conv]

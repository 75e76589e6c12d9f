"""`batonbox-server verify` finds what is not as it should be, by name, and nothing else."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import uuid
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox_server import demo
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.node_verify import verified, verify_here
from batonbox_server.store.connect import EngineClient
from batonbox_server.torture.sites.cluster import ClusterSite
from batonbox_server.verify.findings import REMEDIES
from tests.chaos.processes import serving
from tests.integration.test_cli import run
from tests.integration.verify_site import Copy, lived, opened
from tests.served import SALES, served

Plant = Callable[[Copy], Awaitable[object]]
PLANTS: dict[str, list[Plant]] = {}


def plants(name: str) -> Callable[[Plant], Plant]:
    """What is planted has to be found as `name`."""

    def noted(plant: Plant) -> Plant:
        PLANTS.setdefault(name, []).append(plant)
        return plant

    return noted


@plants("log_gap")
async def an_entry_is_gone(at: Copy) -> None:
    (entry,) = await at.run("XRANGE", f"{at.log}:log", "20-0", "20-0")
    await at.run("XDEL", f"{at.log}:log", entry[0])


@plants("log_tip")
async def a_text_in_the_log_was_changed(at: Copy) -> None:
    def edit(told: list[Any]) -> list[Any]:
        entry = next(e for e in told if e[1]["type"] == "received")
        entry[2] = {"text": "another"}
        return told

    await at.relog(edit, chained=False)


@plants("log_chain")
async def the_end_of_another_history_was_put_in(at: Copy) -> None:
    name = f"{at.log}:log"
    entries = await at.run("XRANGE", name, "-", "+")
    await at.run("DEL", name)
    for entry, fields in entries[:-1]:
        await at.run("XADD", name, entry, *fields)
    last, fields = entries[-1]
    frame = dict(zip(fields[::2], fields[1::2], strict=True))[b"f"]
    await at.run("XADD", name, last, "f", frame, "p", "0" * 16, "t", "0")


@plants("log_end")
async def the_head_is_of_another_tip(at: Copy) -> None:
    await at.client.execute("HSET", f"{at.log}:meta", "tip", "0" * 16)


@plants("log_end")
async def the_last_entry_is_gone(at: Copy) -> None:
    (last,) = await at.run("XREVRANGE", f"{at.log}:log", "+", "-", "COUNT", 1)
    await at.run("XDEL", f"{at.log}:log", last[0])


@plants("log_edge")
async def two_owners_at_once(at: Copy) -> None:
    """With tips that fit, as a fault in a script would have written it."""

    def edit(told: list[Any]) -> list[Any]:
        entry = next(e for e in told if e[1]["type"] == "noted")
        entry[1]["row"]["assignee"] = "somebody"
        return told

    await at.relog(edit, chained=True)


@plants("row_differs")
async def a_row_has_another_preview(at: Copy) -> None:
    (conv, *_) = await at.convs("op")
    await at.client.execute("HSET", f"{at.log}:c:{conv}", "preview", "forged")


@plants("row_missing")
async def a_row_is_gone(at: Copy) -> None:
    (conv, *_) = await at.convs("un")
    await at.run("DEL", f"{at.log}:c:{conv}")


@plants("row_missing")
async def nothing_is_left_but_the_log(at: Copy) -> None:
    (conv, *_) = await at.convs("un")
    our, customer, att = await at.run("HMGET", f"{at.log}:c:{conv}", "our", "customer", "att")
    await at.run("DEL", f"{at.log}:c:{conv}", f"{at.log}:m:{conv}")
    await at.run("HDEL", f"{at.log}:cx", our + b"|" + customer)
    await at.run("SREM", f"{at.log}:unm", f"{conv}:{att.decode()}")
    for index in ("un", "op", "wq", "ar"):
        await at.client.execute("ZREM", f"{at.log}:{index}", conv)


@plants("row_unreadable")
async def a_row_has_a_state_that_is_none(at: Copy) -> None:
    (conv, *_) = await at.convs("un")
    await at.client.execute("HSET", f"{at.log}:c:{conv}", "status", "lost")


@plants("row_numbers")
async def more_lines_have_left_than_there_are(at: Copy) -> None:
    (conv, *_) = await at.convs("un")
    await at.client.execute("HSET", f"{at.log}:c:{conv}", "trimmed", 1000)


@plants("index_missing")
async def a_conversation_is_in_no_queue(at: Copy) -> None:
    (conv, *_) = await at.convs("un")
    await at.run("ZREM", f"{at.log}:un", conv)


@plants("index_missing")
async def an_owner_does_not_see_theirs(at: Copy) -> None:
    (conv, *_) = await at.convs("as:agent1")
    await at.run("ZREM", f"{at.log}:as:agent1", conv)


@plants("index_score")
async def a_list_has_another_order(at: Copy) -> None:
    (conv, *_) = await at.convs("op")
    await at.client.execute("ZADD", f"{at.log}:op", 5, conv)


@plants("index_stray")
async def an_open_one_is_among_the_done(at: Copy) -> None:
    (conv, *_) = await at.convs("un")
    await at.run("ZADD", f"{at.log}:done", 5, conv)


@plants("index_stray")
async def it_stands_among_somebody_elses(at: Copy) -> None:
    (conv, *_) = await at.convs("as:agent2")
    await at.run("ZADD", f"{at.log}:as:agent3", 5, conv)


@plants("badge_blue")
async def the_board_has_lost_one(at: Copy) -> None:
    await at.run("SPOP", f"{at.log}:unm")


@plants("badge_blue")
async def the_board_counts_an_old_mark(at: Copy) -> None:
    (conv, *_) = await at.convs("un")
    await at.run("SADD", f"{at.log}:unm", f"{conv}:3.0123abcd")


@plants("badge_green")
async def somebody_elses_is_green(at: Copy) -> None:
    (conv, *_) = await at.convs("un")
    await at.run("SADD", f"{at.log}:gm:agent1", conv)


@plants("seen_mark")
async def somebody_has_seen_what_is_to_come(at: Copy) -> None:
    (conv, *_) = await at.convs("un")
    await at.run("SADD", f"{at.log}:su:agent1", f"{conv}:999999.0123abcd")


@plants("pair_wrong")
async def a_customer_leads_nowhere(at: Copy) -> None:
    (conv, *_) = await at.convs("un")
    our, customer = await at.run("HMGET", f"{at.log}:c:{conv}", "our", "customer")
    await at.run("HDEL", f"{at.log}:cx", our + b"|" + customer)


@plants("thread_length")
async def the_last_line_is_gone(at: Copy) -> None:
    (conv, *_) = await at.convs("op")
    await at.run("RPOP", f"{at.log}:m:{conv}")


@plants("thread_numbers")
async def two_lines_changed_places(at: Copy) -> None:
    (conv, *_) = await at.convs("as:agent1")
    name = f"{at.log}:m:{conv}"
    first, second = await at.run("LRANGE", name, 0, 1)
    await at.run("LSET", name, 0, second)
    await at.run("LSET", name, 1, first)


@plants("outbox_missing")
async def a_message_waits_nowhere(at: Copy) -> None:
    (conv,) = await at.convs("out")
    await at.run("DEL", f"{at.log}:out:{conv}")
    await at.run("ZREM", f"{at.log}:out", conv)


@plants("outbox_stray")
async def a_message_waits_that_was_sent(at: Copy) -> None:
    (conv, *_) = await at.convs("as:agent1")
    await at.run("RPUSH", f"{at.log}:out:{conv}", 2)
    await at.run("ZADD", f"{at.log}:out", 5, conv)


@plants("lifetime")
async def a_stored_answer_never_ends(at: Copy) -> None:
    await at.run("PERSIST", f"{at.log}:i:agent3:waits")


@plants("orphan")
async def a_thread_has_no_row(at: Copy) -> None:
    await at.run("RPUSH", f"{at.log}:m:sales.nobody", b"x")


@plants("orphan")
async def a_log_that_nobody_knows(at: Copy) -> None:
    await at.run("HSET", f"{at.keys.inbox('ghost')}:meta", "epoch", "e", "seq", 0)


@plants("number_route")
async def an_inbox_does_not_take_its_number(at: Copy) -> None:
    await at.run("SREM", f"{at.log}:num", SALES)


@plants("member_standing")
async def a_member_does_not_stand_there(at: Copy) -> None:
    await at.run("HDEL", f"{at.log}:mem", "agent2")


@plants("hook_place")
async def a_webhook_stands_in_another_history(at: Copy) -> None:
    name = f"{at.log}:hk"
    ((hook, raw),) = [tuple(await at.run("HGETALL", name))]
    place = {**msgpack.unpackb(raw), "tip": "0" * 16}
    await at.client.execute("HSET", name, hook, msgpack.packb(place))


@plants("room_posts")
async def a_room_counts_a_post_too_many(at: Copy) -> None:
    room = await at.room(direct=True)
    await at.run("HINCRBY", f"{at.keys.inbox(room)}:c:{room}", "posts", 1)


@plants("room_mark")
async def somebody_has_read_more_than_there_is(at: Copy) -> None:
    room = await at.room(direct=False)
    await at.client.execute("HSET", f"{at.keys.inbox(room)}:rd", "agent3", 99)


@plants("room_index")
async def a_room_is_not_among_ones_own(at: Copy) -> None:
    await at.run("SREM", f"{at.keys.org}:ru:agent3", await at.room(direct=False))


@plants("away_count")
async def one_too_many_counts_as_away(at: Copy) -> None:
    await at.run("HINCRBY", f"{at.log}:meta", "away", 1)


def _archive(at: Copy, statement: str) -> None:
    with closing(sqlite3.connect(at.folder / "archive.sqlite")) as database, database:
        assert database.execute(statement).rowcount > 0, statement


@plants("archive_row")
async def the_archive_has_lost_a_conversation(at: Copy) -> None:
    _archive(at, "DELETE FROM rows WHERE conv=(SELECT min(conv) FROM rows WHERE log='sales')")


@plants("archive_lines")
async def the_archive_has_lost_a_message(at: Copy) -> None:
    _archive(
        at,
        "DELETE FROM lines WHERE n=2 AND k="
        "(SELECT k FROM convs WHERE conv=(SELECT min(conv) FROM rows WHERE log='sales'))",
    )


@plants("archive_lines")
async def a_message_in_the_archive_is_another(at: Copy) -> None:
    _archive(at, "UPDATE lines SET seq=seq+1000 WHERE n=2")


@plants("archive_file")
async def the_archive_is_damaged(at: Copy) -> None:
    file = at.folder / "archive.sqlite"
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096] = 0xFF  # no kind of page
    file.write_bytes(content)


@plants("token_index")
async def a_secret_leads_nowhere(at: Copy) -> None:
    name = f"{at.keys.org}:tk"
    (digest, *_) = await at.run("HKEYS", name)
    await at.run("HDEL", name, digest)


@plants("contact_index")
async def a_number_does_not_lead_to_its_contact(at: Copy) -> None:
    await at.run("HDEL", f"{at.keys.contacts}:num", SALES)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The names of what every test of this file copies."""
    return f"v{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("lived")


_made: set[str] = set()


@pytest.fixture
async def copy(
    client: EngineClient, engine_url: str, home: tuple[str, Path], tmp_path: Path
) -> Copy:
    """A copy of the test's own."""
    space, folder = home
    if space not in _made:
        await lived(engine_url, space, folder)
        _made.add(space)
    return await Copy(client, engine_url, space, tmp_path / "copy").made(folder)


async def test_nothing_is_found_where_nothing_is_wrong(copy: Copy) -> None:
    told = await copy.verified()
    assert told["findings"] == []
    assert told["ok"]
    assert told["skipped"] == []
    checked = told["checked"]
    assert checked["inboxes"] == 2
    assert checked["conversations"] >= 9
    assert checked["rooms"] == 2
    for what in ("events", "messages", "badges", "marks", "tokens", "contacts", "lifetimes",
                 "webhook places"):  # fmt: skip
        assert checked[what], what


@pytest.mark.parametrize(
    ("name", "plant"),
    [pytest.param(n, plant, id=plant.__name__) for n, found in PLANTS.items() for plant in found],
)
async def test_what_is_planted_is_found(copy: Copy, name: str, plant: Plant) -> None:
    await plant(copy)
    told = await copy.verified()
    assert not told["ok"]
    assert name in told["found"], told["findings"]
    for finding in told["findings"]:
        assert all(finding[part] for part in ("name", "where", "what", "should", "do")), finding


def test_every_kind_of_finding_is_planted() -> None:
    frames = {"log_frame"}  # see below
    assert set(PLANTS) | frames == set(REMEDIES)


async def test_a_frame_that_names_another_log_is_found(copy: Copy) -> None:
    """Keys that were renamed by hand, say."""
    support = copy.keys.inbox("support")
    await copy.client.execute("RENAME", f"{support}:log", f"{copy.log}:log")
    told = await copy.verified()
    assert "log_frame" in told["found"]


async def test_a_busy_organisation_is_as_it_should_be(engine_url: str, tmp_path: Path) -> None:
    """It is read while people write; what changes meanwhile is no finding."""
    space = f"v{uuid.uuid4().hex[:12]}"
    more: dict[str, Any] = {
        "archive_url": f"sqlite://{tmp_path}/archive.sqlite",
        "archive_keep_messages": 2,
        "archive_done_days": 0.0,
        "archive_sweep_s": 0.05,
    }
    async with served(engine_url, space, **more) as site:
        stop, writes = asyncio.Event(), [0]

        async def busy(n: int) -> None:
            while not stop.is_set():
                conv = await site.texts("hi", customer=f"+1416555{1000 + n * 100 + writes[0] % 9}")
                agent = f"agent{1 + n % 3}"
                if (await site.act(agent, conv, "assign")).is_success:
                    await site.act(agent, conv, "reply", text="yes")
                    row = await site.get("admin", f"/v1/conversations/{conv}")
                    body = {"seen": row["in_seq"], "own_tok": row["own_tok"]}
                    await site.act(agent, conv, "done", **body)
                writes[0] += 1

        async with asyncio.TaskGroup() as group:
            for n in range(4):
                group.create_task(busy(n))
            try:
                for _ in range(2):
                    before = writes[0]
                    lines = [json.loads(line) async for line in verified(site.node)]
                    report = lines[-1]["report"]
                    assert report["findings"] == []
                    assert writes[0] > before
            finally:
                stop.set()


async def test_the_command_says_it_with_a_server_and_without(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with serving(folder):
        status, out, err = await run("verify", "--json", data_dir=folder)
        assert (status, json.loads(out)["findings"]) == (0, []), err
    status, out, err = await run("verify", data_dir=folder)
    assert status == 0, out + err
    assert "everything is as it should be" in out

    engine = EmbeddedEngine(folder)
    await engine.start()
    client = EngineClient(engine.url)
    await client.connect()
    await client.execute("SREM", "bb{ib:sales}:num", SALES)
    await client.aclose()
    await engine.stop()
    status, out, _ = await run("verify", data_dir=folder)
    assert status == 1
    assert "number_route in sales" in out
    assert "do: " in out
    status, _, err = await run("verify", redis_url="redis://127.0.0.1:1", data_dir=tmp_path / "x")
    assert status == 2, err


async def test_an_empty_engine_has_nothing_wrong(engine_url: str, tmp_path: Path) -> None:
    space = f"v{uuid.uuid4().hex[:12]}"
    async with opened(engine_url, space, tmp_path) as organisation:
        assert (await verify_here(organisation))["ok"]


async def test_what_the_engine_forbids_is_said(engine: EmbeddedEngine, tmp_path: Path) -> None:
    """With the least rights of docs/operations.md there is no SCAN; the rest is looked at."""
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    rule = next(line for line in text.splitlines() if "ACL SETUSER batonbox" in line).split()
    client = EngineClient(engine.url)
    await client.connect()
    await client.execute(*("secret".join(word.split("PASSWORD")) for word in rule))
    await client.aclose()
    socket = engine.url.partition("@")[2]
    async with opened(f"unix://batonbox:secret@{socket}", "bb", tmp_path / "more") as organisation:
        await demo.seed(organisation)
        told = await verify_here(organisation)
    assert told["ok"]
    assert ["grant +scan +pttl" in why for why in told["skipped"]] == [True]
    assert told["checked"]["inboxes"] == 2


@pytest.mark.long
async def test_every_primary_of_a_cluster_is_looked_at(tmp_path: Path) -> None:
    """What no key names is found wherever it lies; each of these has a slot of its own."""
    site = ClusterSite(tmp_path)
    await site.start()
    try:
        await lived(site.url, "vc", tmp_path / "data")
        async with opened(site.url, "vc", tmp_path / "data") as organisation:
            assert (await verify_here(organisation))["findings"] == []
            ghosts = [f"vc{{ib:ghost{n}}}:meta" for n in range(12)]
            for ghost in ghosts:
                await organisation.client.execute("HSET", ghost, "epoch", "e", "seq", 0)
            told = await verify_here(organisation)
            assert {finding["where"] for finding in told["findings"]} == set(ghosts)
    finally:
        await site.stop()

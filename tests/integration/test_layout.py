"""Data of another version: refused when newer, brought to the present layout when older."""

from __future__ import annotations

import asyncio
import json
import shutil
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox_server.engine import EmbeddedEngine
from batonbox_server.errors import EngineUnsuitable, Refused
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.layout import LAYOUT, Layout
from batonbox_server.store.library import FOLDER
from batonbox_server.store.scripts import Scripts
from tests.chaos.processes import serving
from tests.integration.store_harness import Box
from tests.integration.test_cli import run
from tests.served import served

_NEW = ("ow", "ow:ann", "sno", "gone", "ar")


def layout_of(box: Box, *, known: int = LAYOUT) -> Layout:
    """Of an organisation whose only log is the box."""

    async def logs() -> AsyncIterator[str]:
        yield "box"

    return Layout(box.client, keys=box.keys, logs=logs, known=known)


async def aged(box: Box) -> dict[str, list[bytes]]:
    """Make it one of layout 1, as servers left it that knew no other; what its indexes were."""
    for n in range(20):
        customer = f"+155502{n:02}"
        for _ in range(1 + n):
            conv = await box.receive(customer)
        if n % 2:
            await box.assign(conv)
            await box.receive(customer)
    had = {name: await box.client.execute("ZRANGE", f"{box.log}:{name}", 0, -1, "WITHSCORES")
           for name in _NEW}  # fmt: skip
    assert had["ow"]
    assert had["ar"]
    await box.client.execute("DEL", *(f"{box.log}:{name}" for name in _NEW))
    await box.client.execute("HSET", f"{box.log}:meta", "schema", 1)
    await box.client.execute("HDEL", f"{box.log}:meta", "kept")
    return had


async def indexes_of(box: Box) -> dict[str, list[bytes]]:
    return {
        name: await box.client.execute("ZRANGE", f"{box.log}:{name}", 0, -1, "WITHSCORES")
        for name in _NEW
    }


async def test_older_data_is_brought_to_the_present_layout(box: Box) -> None:
    had, layout = await aged(box), layout_of(box)
    assert await layout.is_behind()
    status = await layout.status()
    assert (status.layout, status.known, status.behind) == (1, LAYOUT, 1)
    assert await layout.migrate() == 1
    assert await indexes_of(box) == had
    status = await layout.status()
    assert (status.layout, status.behind) == (LAYOUT, 0)
    assert not await layout.is_behind()
    assert await layout.migrate() == 0


async def test_a_migration_that_was_stopped_goes_on(box: Box) -> None:
    """At any step, and while people write."""
    had, scripts = await aged(box), Scripts(box.client)
    steps = 0
    while (await scripts.migrate(box.log, n=3))[1]:
        steps += 1
        if steps == 2:  # whoever did it is gone; another begins from the first log again
            await box.receive("+15550299")
    assert steps > 5
    now = await indexes_of(box)
    assert {name: now[name] for name in ("ow", "ow:ann", "ar")} == {
        name: had[name] for name in ("ow", "ow:ann", "ar")
    }


async def test_one_at_a_time_migrates(box: Box) -> None:
    await aged(box)
    one, other = layout_of(box), layout_of(box)
    await one._lease()
    with pytest.raises(Refused, match="just now"):
        await other.migrate()
    await one.migrate()
    assert await other.migrate() == 0


async def test_newer_data_is_left_alone(box: Box) -> None:
    await layout_of(box, known=LAYOUT + 1).migrate()
    with pytest.raises(EngineUnsuitable, match=f"layout {LAYOUT + 1}, which a newer"):
        await layout_of(box).refuse_newer()


async def test_new_data_has_the_present_layout(engine_url: str, client: EngineClient) -> None:
    space = f"v{uuid.uuid4().hex[:12]}"
    async with served(engine_url, space) as site:
        assert int(await client.execute("GET", f"{space}{{org}}:layout")) == LAYOUT
        assert not await site.node.layout.is_behind()


@pytest.mark.long
async def test_a_server_migrates_by_itself_and_refuses_what_is_newer(tmp_path: Path) -> None:
    async def edited(*command: str | int) -> None:
        engine = EmbeddedEngine(folder)
        await engine.start()
        client = EngineClient(engine.url)
        await client.connect()
        await client.execute(*command)
        await client.aclose()
        await engine.stop()

    folder = tmp_path / "data"
    async with serving(folder) as server:
        await server.token()
    await edited("DEL", "bb{org}:layout")
    status, out, _ = await run("migrate", "--status", "--json", data_dir=folder)
    assert (status, json.loads(out)["layout"]) == (1, 1)
    async with serving(folder):
        status, out, err = await run("migrate", data_dir=folder)
        assert status == 0, err
        assert out.startswith(f"layout {LAYOUT} of {LAYOUT}, 0 logs")
    await edited("SET", "bb{org}:layout", LAYOUT + 1)
    status, _, err = await run("serve", data_dir=folder, port=0)
    assert status == 1
    assert "newer batonbox-server" in err


async def test_two_versions_decide_as_one_while_a_fleet_is_renewed(
    box: Box, tmp_path: Path
) -> None:
    """An older library and the present one, called at once: one winner, nothing doubled, and each
    understands what the other wrote."""
    shutil.copytree(FOLDER, tmp_path / "lua")
    path = tmp_path / "lua" / "lib" / "keys.lua"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("local PREFIX,", "local OLDER, PREFIX,"))
    older = Box(box.client, box.keys.space)
    older.store._scripts = Scripts(box.client, tmp_path / "lua")
    names = {s._scripts["assign"].function for s in (older.store._scripts, box.store._scripts)}
    assert len(names) == 2
    convs = [await (box, older)[n % 2].receive(f"+155503{n:02}") for n in range(30)]
    won: dict[str, set[str]] = {conv: set() for conv in convs}
    told: list[Refused] = []

    async def takes(by: Box, conv: str, user: str, cid: str) -> None:
        try:
            done = await by.store.assign(conv=conv, actor=user, cid=cid)
        except Refused as refused:
            told.append(refused)
            return
        won[conv].add(user)
        again = await (older if by is box else box).store.assign(conv=conv, actor=user, cid=cid)
        assert (again.seq, again.tip) == (done.seq, done.tip), "the other version has the answer"

    await asyncio.gather(
        *(
            takes(by, conv, user, uuid.uuid4().hex)
            for conv in convs
            for by, user in ((box, "ann"), (older, "bob"), (box, "bob"), (older, "ann"))
        )
    )
    assert {len(winners) for winners in won.values()} == {1}
    assert {refused.slug for refused in told} == {"conflict"}
    assert len(told) == 2 * len(convs)
    sent = await asyncio.gather(
        *((box, older)[n % 2].receive("+15550300", provider_id=f"p{n // 2}") for n in range(40))
    )
    assert set(sent) == {convs[0]}
    thread = await box.store.history(conv=convs[0], actor="ann", n=200)
    assert sum(m[3] == "received" for m in thread.messages) == 21
    head = await older.store.head(log=box.log)
    entries = await box.store.range(log=box.log, first=1, last=head.seq)
    assert [entry.seq for entry in entries] == list(range(1, head.seq + 1))
    kinds = [msgpack.unpackb(entry.frame)[3]["type"] for entry in entries]
    assert kinds.count("assigned") == len(convs)

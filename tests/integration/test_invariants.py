"""Invariants of the log that need several observers or several callers."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox_server.domain.model import Role
from batonbox_server.errors import Refused
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.redis import RedisStore
from batonbox_server.store.topology import engine_of
from batonbox_server.wire import transcode

OUR = "+15550100"
BODY = bytes(msgpack.packb({"text": "hello"}))
USERS = ("ann", "bob", "adm")


@pytest.fixture
async def store(client: Engine, prefix: str) -> AsyncIterator[RedisStore]:
    """A store with one inbox of three people."""
    store = RedisStore(client, keys=Keys(prefix))
    await store.create_inbox(inbox="box")
    await store.add_number(inbox="box", number=OUR)
    for user in USERS:
        role = Role.ADMIN if user == "adm" else Role.MEMBER
        await store.join(inbox="box", user=user, role=role, joined=True)
    yield store
    await store.delete_inbox(inbox="box")


async def act(  # noqa: C901  (a table of verbs)
    store: RedisStore, rng: random.Random, verb: str
) -> None:
    """One command that may be refused."""
    conv = f"box.{rng.randrange(6)}"
    rows = (await store.page(inbox="box", actor="ann", view="walk", n=200)).rows
    row: dict[str, Any] = rng.choice(rows) if rows else {"id": conv, "own_tok": "", "assignee": ""}
    conv, token = row["id"], row["own_tok"]
    actor = row["assignee"] or rng.choice(USERS)
    cid = uuid.uuid4().hex
    match verb:
        case "receive":
            await store.receive(
                inbox="box",
                our=OUR,
                customer=f"+1555020{rng.randrange(6)}",
                provider_id=cid,
                body=BODY,
                preview=cid,
            )
        case "assign":
            await store.assign(conv=conv, actor=rng.choice(USERS), cid=cid)
        case "transfer":
            await store.transfer(
                conv=conv, actor=actor, cid=cid, own_tok=token, to=rng.choice(USERS)
            )
        case "release":
            await store.release(conv=conv, actor=actor, cid=cid, own_tok=token)
        case "done":
            await store.done(conv=conv, actor=actor, cid=cid, own_tok=token, seen=None)
        case "undo":
            await store.undo(conv=conv, actor=actor, cid=cid, own_tok=token)
        case "reply":
            await store.reply(
                conv=conv, actor=actor, cid=cid, own_tok=token, body=BODY, preview=cid
            )
        case "note":
            await store.note(conv=conv, actor=actor, cid=cid, body=BODY)
        case "compose":
            await store.compose(
                inbox="box",
                actor=actor,
                cid=cid,
                our=OUR,
                customer=f"+1555020{rng.randrange(6)}",
                body=BODY,
                preview=cid,
            )
        case "removal":
            await store.remove(inbox="box", user="bob", role=None)
            await store.join(inbox="box", user="bob", role=Role.MEMBER, joined=True)


VERBS = (
    *("receive",) * 3,
    "assign",
    "transfer",
    "release",
    "done",
    "undo",
    "reply",
    "note",
    "compose",
    "removal",
)


@pytest.mark.parametrize("codec", ["msgpack", "json"])
async def test_snapshot_and_events_make_the_later_snapshot(
    store: RedisStore, prefix: str, codec: str
) -> None:
    """I5: for every operation and either codec, from any position."""
    rng = random.Random(11)
    starts = []
    for step in range(250):
        if step % 10 == 0:
            starts.append(await store.snapshot(inbox="box"))
        try:
            await act(store, rng, rng.choice(VERBS))
        except Refused:
            pass
    end = await store.snapshot(inbox="box")
    kinds = set()
    for start in starts:
        rows = {row["id"]: row for row in start.rows}
        done = start.counts["done"]
        log = Keys(prefix).inbox("box")
        for entry in await store.range(log=log, first=start.seq + 1, last=end.seq):
            frame = json.loads(transcode(entry.frame)) if codec == "json" else msgpack.unpackb(
                entry.frame
            )  # fmt: skip
            meta = frame[3]
            kinds.add(meta["type"])
            if "row" not in meta:
                continue
            row = meta["row"]
            done += (row["status"] == "done") - (meta.get("before", {}).get("status") == "done")
            rows[row["id"]] = row
        is_open = [row for row in rows.values() if row["status"] != "done"]
        is_open.sort(key=lambda row: row["last_ms"], reverse=True)
        assert is_open == end.rows
        assert end.counts == {
            "unassigned": sum(row["status"] == "unassigned" for row in is_open),
            "open": len(is_open),
            "done": done,
        }
    assert kinds >= {"received", "assigned", "transferred", "returned", "done", "undone", "replied",
                     "noted", "composed", "member_joined", "member_removed"}  # fmt: skip


async def test_finished_before_begun_means_earlier_in_the_log(
    store: RedisStore, engine_url: str, prefix: str
) -> None:
    """I7: real time and log agree, whichever node was asked."""
    received = await store.receive(
        inbox="box", our=OUR, customer="+1555", provider_id="p", body=BODY, preview="x"
    )
    other = engine_of(engine_url)
    await other.connect()
    nodes = [store, RedisStore(other, keys=Keys(prefix))]
    spans: list[tuple[float, float, int]] = []

    async def caller(number: int) -> None:
        for i in range(40):
            begun = time.monotonic()
            applied = await nodes[(number + i) % 2].note(
                conv=received.conv, actor="ann", cid=f"{number}-{i}", body=BODY
            )
            spans.append((begun, time.monotonic(), applied.seq))

    await asyncio.gather(*(caller(number) for number in range(8)))
    await other.aclose()
    assert len({seq for _, _, seq in spans}) == len(spans)
    wrong = [
        (a, b)
        for a in spans
        for b in spans
        if a[1] < b[0] and a[2] >= b[2]
    ]  # fmt: skip
    assert wrong == []

"""One list over many inboxes: complete, in order, and read from no more of them than it shows."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox_server.domain.model import Role, inbox_of
from batonbox_server.service.reads import InboxReads
from batonbox_server.session.ports import Principal
from tests.served import Served, served

INBOXES = 12
EACH = 6
AGENT = Principal(user="agent1", role=Role.MEMBER)
VIEWS = ("all", "open", "unassigned", "mine", "others", "done")


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """Many inboxes with some conversations each; a few changed at the very same time."""
    async with served(engine_url, prefix) as site:
        chance = random.Random(11)
        for number in range(INBOXES):
            inbox = f"many{number:02d}"
            body = {
                "id": inbox,
                "name": f"Many {number}",
                "numbers": [f"+1416556{number:04d}"],
                "members": ["agent1", "agent2"],
            }
            answer = await site.call("admin", "POST", "/v1/admin/inboxes", body)
            assert answer.is_success, answer.text
            for customer in range(0 if number == 3 else EACH):
                await lives(site, inbox, number, customer, chance)
        yield site


async def lives(
    site: Served, inbox: str, number: int, customer: int, chance: random.Random
) -> None:
    store = site.node.store
    received = await store.receive(
        inbox=inbox,
        our=f"+1416556{number:04d}",
        customer=f"+1905555{customer:04d}",
        provider_id=f"{inbox}-{customer}",
        body=msgpack.packb({"text": "hello"}),
        preview="hello",
    )
    conv, by = received.conv, chance.choice(["", "agent1", "agent2", "done"])
    if by:
        owner = by if by != "done" else "agent1"
        taken = await store.assign(conv=conv, actor=owner, cid=f"a-{conv}")
        if by == "done":
            await store.done(
                conv=conv, actor=owner, cid=f"d-{conv}", own_tok=taken.own_tok, seen="*"
            )
    # The same few times in all inboxes.
    at, log = 1_000 + 7 * customer + chance.randrange(2), site.node.keys.inbox(inbox)
    await site.node.client.execute("HSET", f"{log}:c:{conv}", "last_ms", at)
    for index in ("op", "un", "done", "as:agent1", "as:agent2"):
        await site.node.client.execute("ZADD", f"{log}:{index}", "XX", at, conv)


async def walked(reads: InboxReads, view: str, n: int) -> list[str]:
    """Page by page to the end; no place is asked for twice."""
    found: list[str] = []
    cursors, after = set[str](), ""
    while True:
        rows, further = await reads.newest(AGENT, inbox=None, view=view, after=after, n=n)
        assert len(rows) <= n
        found += [row["id"] for row in rows]
        if further is None:
            return found
        assert further not in cursors
        cursors.add(further)
        after = further


async def brute(site: Served, view: str) -> list[str]:
    """All rows of all inboxes, sorted."""
    rows: list[dict[str, Any]] = []
    for inbox in site.node.directory.inboxes_of(AGENT.user):
        page = await site.node.store.page(inbox=inbox, actor=AGENT.user, view=view, n=200)
        rows += page.rows
    rows.sort(key=lambda row: (row["last_ms"], inbox_of(row["id"]), row["id"]), reverse=True)
    return [row["id"] for row in rows]


async def test_every_row_is_on_one_page_in_its_place(site: Served) -> None:
    node = site.node
    reads = InboxReads(node.store, node.room_store, node.directory, node.media)
    for view in VIEWS:
        wanted = await brute(site, view)
        assert len(wanted) > INBOXES / 2
        for n in (1, 2, 3, 5, 50):
            assert await walked(reads, view, n) == wanted, (view, n)


async def test_a_page_is_read_from_no_more_inboxes_than_it_has_rows(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, asked = site.node, list[str]()
    reads = InboxReads(node.store, node.room_store, node.directory, node.media)
    page = node.store.page

    async def noted(**given: Any) -> Any:
        asked.append(given["inbox"])
        return await page(**given)

    # All at different times: at the same time more of them are looked at.
    for at, inbox in enumerate(sorted(node.directory.inboxes_of(AGENT.user))):
        log = node.keys.inbox(inbox)
        for conv in await node.client.execute("ZRANGE", f"{log}:op", 0, -1):
            await node.client.execute("ZADD", f"{log}:op", "XX", "INCR", 1_000 * at, conv)
    monkeypatch.setattr(node.store, "page", noted)
    rows, further = await reads.newest(AGENT, inbox=None, view="open", after="", n=3)
    assert further is not None
    assert len(asked) == 3
    assert len(rows) <= 3

"""Two nodes and one archive in PostgreSQL: whatever one of them moves or erases, both show."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from tests.integration.search_harness import customers, found
from tests.integration.test_archive_node import texts_of
from tests.integration.test_export import export, threads
from tests.postgres import Cluster
from tests.served import Served, served

DAY_MS: Final = 86_400_000
# Nothing moves by itself: the test says when.
BY_HAND: Final[dict[str, Any]] = {
    "archive_keep_messages": 3,
    "archive_done_days": 0.0,
    "archive_sweep_s": 3600.0,
    "job_lease_s": 0.2,
}


async def finished(site: Served, text: str) -> str:
    """A conversation of three messages that is done."""
    customer = customers()
    for number in range(3):
        conv = await site.texts(f"{text} {number}", customer=customer)
    own_tok = (await site.act("agent1", conv, "assign")).json()["own_tok"]
    assert (await site.act("agent1", conv, "done", own_tok=own_tok)).is_success
    return conv


async def ages(site: Served, conv: str, days: int) -> None:
    """All its messages are so many days older than they were."""
    key = f"{site.node.keys.inbox('sales')}:m:{conv}"
    for at, raw in enumerate(await site.node.client.execute("LRANGE", key, 0, -1)):
        line = msgpack.unpackb(raw)
        line[2] -= days * DAY_MS
        await site.node.client.execute("LSET", key, at, msgpack.packb(line))


async def is_here(site: Served, conv: str) -> bool:
    """Whether the engine has its row."""
    return bool(
        await site.node.client.execute("EXISTS", f"{site.node.keys.inbox('sales')}:c:{conv}")
    )


async def test_what_is_moved_and_erased_is_so_at_both_nodes(
    engine_url: str, prefix: str, postgres: Cluster
) -> None:
    url = await postgres.schema()
    async with (
        served(engine_url, prefix, archive_url=url, **BY_HAND) as one,
        served(engine_url, prefix, archive_url=url, **BY_HAND) as other,
    ):
        pair = (one, other)
        customer = customers()
        for number in range(30):
            long = await pair[number % 2].texts(f"wombat {number}", customer=customer)
        old, held, done = [
            await finished(one, f"wombat {text}") for text in ("old", "held", "done")
        ]
        for conv in (old, held):
            await ages(one, conv, 11)
        hold = {"on": True, "reason": "a claim"}
        path = f"/v1/conversations/{held}/hold"
        assert (await other.call("admin", "POST", path, hold)).is_success
        rules = {"external_days": 10, "internal_days": 0}
        assert (await one.call("admin", "PUT", "/v1/retention", rules)).is_success
        for _ in range(200):
            for site in pair:
                site.node.archiver.hurry()
            await asyncio.gather(*(site.node.archiver.sweep() for site in pair))
            if not await is_here(one, old) and not await is_here(one, done):
                break
            await asyncio.sleep(0.02)
        texts = {
            long: [f"wombat {number}" for number in range(30)],
            held: [f"wombat held {number}" for number in range(3)],
            done: [f"wombat done {number}" for number in range(3)],
        }
        assert await is_here(one, held) and not await is_here(one, done)
        for site in pair:
            status = await site.node.archive.status()
            assert (status.kind, status.rows) == ("postgresql", 1)
            # All of what is done and of what is held, whose row alone has to stay.
            assert status.lines == 27 + 5 + 5
            for conv, said in texts.items():
                assert await texts_of(site, conv) == said, conv
            gone = await site.call("admin", "GET", f"/v1/conversations/{old}/messages")
            assert gone.status_code == 404
            exported = threads(await export(site))
            assert {conv for conv in exported if conv.startswith("sales.")} == texts.keys()
            assert [len(exported[conv]) for conv in (long, held, done)] == [30, 5, 5]
            for _ in range(2):  # as it was followed, and as it is read anew
                hits = await found(site, "agent1", "wombat")
                assert sorted(conv for conv, _ in hits) == sorted(
                    conv for conv, said in texts.items() for _ in said
                )
                await site.node.search.feed.rebuild()

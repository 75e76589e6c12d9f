"""What has left the engine is found and can be opened; what is erased is found no more."""

from __future__ import annotations

from typing import Any

import pytest

from batonbox_server.service import search_turn
from batonbox_server.service.search_turn import Sources, Turn
from batonbox_server.store.scan import RedisScan
from tests.integration.search_harness import customers, search, settled
from tests.integration.test_export import archive
from tests.served import Served, served


async def _all(site: Served, user: str, q: str) -> list[tuple[str, int]]:
    """Every message found, over all pages."""
    seen: list[tuple[str, int]] = []
    after = ""
    while True:
        more = {"after": after} if after else {}
        answer = await search(site, user, q, kinds="messages", limit="50", **more)
        seen += [(hit["conv"], hit["n"]) for hit in answer["messages"]]
        after = answer["next"] or ""
        if not after:
            return seen


async def test_archived_messages_are_found_before_and_after_a_rebuilding(prefix: str) -> None:
    rules: dict[str, Any] = {
        "archive_keep_messages": 2,
        "archive_done_days": 0.0,
        "archive_sweep_s": 0.05,
    }
    async with served("", prefix, **rules) as site:
        node, customer = site.node, customers()
        for n in range(40):
            conv = await site.texts(f"wombat {n}", customer=customer)
        done = await site.texts("a wombat that is done", customer=customers())
        opened = await site.call("agent1", "POST", "/v1/rooms/direct", {"user": "agent2"})
        room = str(opened.json()["conv"])
        for n in range(40):
            body = {"text": f"our wombat {n}"}
            assert (await site.call("agent1", "POST", f"/v1/rooms/{room}/post", body)).is_success
        taken = await site.act("agent1", done, "assign")
        assert (await site.act("agent1", done, "done", own_tok=taken.json()["own_tok"])).is_success
        rows: list[str] = []

        async def moved() -> bool:
            log = node.keys.inbox("sales")
            rows[:] = [] if await node.client.execute("EXISTS", f"{log}:c:{done}") else [done]
            short = await node.client.execute("LLEN", f"{log}:m:{conv}")
            posts = await node.client.execute("LLEN", f"{node.keys.inbox(room)}:m:{room}")
            return bool(rows) and short < 40 and posts < 41

        for _ in range(400):
            node.archiver.written("sales")
            node.archiver.written(room)
            if await moved():
                break
            await site.get("agent1", "/v1/me")
        assert await moved()
        before = await _all(site, "agent1", "wombat")
        await node.search.feed.rebuild()
        after = await _all(site, "agent1", "wombat")
        assert sorted(after) == sorted(before)
        assert len(after) == len(set(after)) == 81
        assert (done, 1) in after
        for hit_conv, n in after:
            path = "rooms" if hit_conv == room else "conversations"
            page = await site.get(
                "agent1", f"/v1/{path}/{hit_conv}/messages?before={n + 1}&limit=1"
            )
            assert [item["n"] for item in page["items"]] == [n]
            assert "wombat" in page["items"][0]["body"]["text"]
        assert len(await _all(site, "agent3", "wombat")) == 41
        # Erased for everybody, and in the archive not yet: a rebuilding does not bring it back.
        purged = await node.store.purge(conv=conv, upto=10)
        assert purged.n == 10
        kept = {hit for hit in after if hit[0] != conv or hit[1] > 10}
        assert set(await _all(site, "agent1", "wombat")) == kept
        # Nor a post that was deleted when it was archived already, and had not left.
        body = {"text": "a badger"}
        post = await site.call("agent1", "POST", f"/v1/rooms/{room}/post", body)
        out = await node.store.lines_out(conv=room, keep=0)
        await node.archive.put_lines(conv=room, lines=out.lines)
        assert await _all(site, "agent1", "badger") == [(room, out.lines[-1].n)]
        body = {"n": post.json()["n"]}
        assert (await site.call("agent1", "POST", f"/v1/rooms/{room}/delete", body)).is_success
        await node.search.feed.rebuild()
        assert set(await _all(site, "agent1", "wombat")) == kept
        assert await _all(site, "agent1", "badger") == []
        # Nor a whole conversation.
        whole = await node.store.purge(conv=done, upto=100)
        assert whole.whole and await node.archive.row(conv=done) is not None
        await node.search.feed.rebuild()
        assert set(await _all(site, "agent1", "wombat")) == kept - {(done, 1)}


async def test_how_far_it_is_counts_each_conversation_once_wherever_it_is(
    prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All lines in the engine, the oldest of them in the archive, everything there."""
    monkeypatch.setattr(search_turn, "_ROWS", 5)
    monkeypatch.setattr(search_turn, "_ARCHIVED", 4)
    monkeypatch.setattr(search_turn, "_PIECE", 2)
    async with served("", prefix, archive_sweep_s=3600.0) as site:
        for n in range(21):
            customer = customers()
            for _ in range(4 if n % 3 else 1):
                conv = await site.texts("a wombat", customer=customer)
            if n % 3 == 1:
                await archive(site, conv, row=False)
            if n % 3 == 2:
                own_tok = (await site.act("agent1", conv, "assign")).json()["own_tok"]
                assert (await site.act("agent1", conv, "done", own_tok=own_tok)).is_success
                await archive(site, conv, row=True)
        await settled(site)
        await site.node.search.feed.aclose()
        node, place, told = site.node, None, list[tuple[str, int, int]]()
        sources = Sources(RedisScan(node.client, keys=node.keys), node.contacts.store, node.archive)
        while place is None or place.step:
            place = await Turn(node.search.index, sources, "sales").run(place)
            assert place is not None
            told.append((place.step, place.done, place.total))
        assert {total for _, _, total in told} == {21}
        done = [done for _, done, _ in told]
        assert done == sorted(done)
        read = [done for step, done, _ in told if step == "archive"]
        assert read[0] == 7  # those with a line in the archive are still to be read
        assert len({*read}) > 5
        assert told[-1] == ("", 21, 21)

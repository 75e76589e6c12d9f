"""What has left the engine is found and can be opened; what is erased is found no more."""

from __future__ import annotations

from typing import Any

from tests.integration.search_harness import customers, search
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

"""What a search shows while its index, or what a node knows, is behind: the truth, or less."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from batonbox_server.errors import Refused
from batonbox_server.service.reads import InboxReads
from batonbox_server.session.ports import Principal
from tests.integration.search_harness import customers, said, settled
from tests.served import SUPPORT, Served, served


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A node of the test's own."""
    async with served(engine_url, prefix) as site:
        yield site


async def now(site: Served, user: str, q: str, more: str = "") -> Any:
    """The answer about messages, from the index as it is."""
    return await site.get(user, f"/v1/search?q={q}&kinds=messages{more}")


async def room(site: Served, by: str, path: str, **body: object) -> dict[str, Any]:
    """A command of rooms that succeeds."""
    answer = await site.call(by, "POST", f"/v1/rooms/{path}", body)
    assert answer.is_success, answer.text
    done: dict[str, Any] = answer.json()
    return done


async def test_a_message_is_shown_as_it_is_or_not_at_all(site: Served) -> None:
    direct = (await room(site, "agent1", "direct", user="agent2"))["conv"]
    n = (await room(site, "agent1", f"{direct}/post", text="the old pangolin"))["n"]
    await room(site, "agent1", f"{direct}/post", text="another pangolin")
    assert len(await said(site, "agent2", "pangolin")) == 2
    await site.node.search.feed.aclose()
    await room(site, "agent1", f"{direct}/edit", n=n, text="a new pangolin")
    hits = (await now(site, "agent2", "pangolin"))["messages"]
    assert [(hit["excerpt"], hit["marks"]) for hit in hits] == [
        ("another pangolin", [[8, 16]]),
        ("a new pangolin", [[6, 14]]),
    ]
    await room(site, "agent1", f"{direct}/edit", n=n, text="an armadillo")
    hits = (await now(site, "agent2", "pangolin"))["messages"]
    assert [hit["excerpt"] for hit in hits] == ["another pangolin"]
    await room(site, "agent1", f"{direct}/delete", n=n + 1)
    assert (await now(site, "agent2", "pangolin"))["messages"] == []


async def test_a_contact_is_shown_as_it_is_or_not_at_all(site: Served) -> None:
    body = {"name": "Ada Pangolin", "numbers": ["+16045550142"], "note": "owes us"}
    made = (await site.call("agent1", "POST", "/v1/contacts", body)).json()["id"]
    await settled(site)
    await site.node.search.feed.aclose()
    path = f"/v1/contacts/{made}"
    await site.call("agent1", "PATCH", path, {"note": "has paid"})
    answer = await site.get("agent1", "/v1/search?q=pangolin&kinds=contacts")
    assert [(hit["excerpt"], hit["marks"]) for hit in answer["contacts"]] == [
        ("Ada Pangolin · +16045550142 · has paid", [[4, 12]])
    ]
    answer = await site.get("agent1", "/v1/search?q=owes&kinds=contacts")
    assert answer["contacts"] == []
    await site.call("admin", "DELETE", path)
    answer = await site.get("agent1", "/v1/search?q=pangolin&kinds=contacts")
    assert answer["contacts"] == []


async def test_no_cursor_tells_of_a_log_that_is_somebody_else_s_by_now(site: Served) -> None:
    for n in range(3):
        await site.texts(f"an ocelot in sales {n}", customer=customers())
    for n in range(3):
        await site.texts(f"an ocelot in support {n}", to=SUPPORT, customer=customers())
    await settled(site)
    await site.node.store.remove(inbox="support", user="agent2", role=None)
    assert "support" in site.node.directory.inboxes_of("agent2")
    answer = await now(site, "agent2", "support", "&limit=1")
    assert (answer["messages"], answer["next"]) == ([], None)
    if "sales" in site.node.directory.inboxes_of("agent2"):
        answer = await now(site, "agent2", "ocelot", "&limit=3")
        assert len(answer["messages"]) == 3
        assert answer["next"] is None


async def test_nobody_learns_from_the_index_what_others_do(site: Served) -> None:
    await settled(site)
    before = (await now(site, "agent3", "x"))["index"]
    await room(site, "agent1", "direct", user="agent2")
    await settled(site)
    assert (await now(site, "agent3", "x"))["index"] == before
    await room(site, "agent1", "direct", user="agent3")
    await settled(site)
    assert (await now(site, "agent3", "x"))["index"]["total"] == before["total"] + 1


async def test_what_is_away_is_left_out_and_said_to_be_missing(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = await site.texts("a dodo", customer=customers())
    here = await site.texts("another dodo", customer=customers())
    await settled(site)
    keep = InboxReads.row_at

    async def row_at(self: InboxReads, principal: Principal, *, conv: str) -> Any:
        if conv == away:
            raise Refused("unavailable", "The archive cannot be read.")
        return await keep(self, principal, conv=conv)

    monkeypatch.setattr(InboxReads, "row_at", row_at)
    answer = await now(site, "agent1", "dodo")
    assert [hit["conv"] for hit in answer["messages"]] == [here]
    assert answer["index"]["complete"] is False
    answer = await site.call("agent1", "GET", "/v1/search?q=%22a+dodo&kinds=messages")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")

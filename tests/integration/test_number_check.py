"""The check of a number stops where its messages really stop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from batonbox_server.wire import Op
from tests.integration.test_administration import signed_in
from tests.integration.test_numbers_moving import ask
from tests.served import SALES, Served, served

STEPS = [
    "known", "messaging", "carrier", "assigned", "inbox",
    "engine", "members", "intake", "stored", "shown",
]  # fmt: skip


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


async def check(site: Served, *, send: bool = False) -> dict[str, Any]:
    """The whole answer; its steps are always all there, in order."""
    found = await ask(site, "POST", f"numbers/{SALES}/check", {"send": send})
    assert [step["step"] for step in found["steps"]] == STEPS
    assert found["ok"] == (found["stopped_at"] is None)
    for step in found["steps"]:
        assert step["says"]
        assert bool(step["remedy"]) == (step["state"] in ("failed", "warning")), step
    return dict(found)


def states(found: dict[str, Any]) -> dict[str, str]:
    """By step."""
    return {step["step"]: step["state"] for step in found["steps"]}


async def test_a_test_message_goes_the_whole_way(site: Served) -> None:
    async with signed_in(site, await site.token("agent1")) as line:
        await line.until(Op.BADGE)
        found = await check(site, send=True)
        assert set(states(found).values()) == {"ok"}
        assert "1 connection" in found["steps"][-1]["says"]
        thread = await site.get("agent1", f"/v1/conversations/{found['conv']}")
        assert thread["customer"] == "+12025550100"
        assert "Test message: Alex Admin" in thread["messages"][0]["body"]["text"]
        # And again: a message of its own each time.
        assert (await check(site, send=True))["conv"] == found["conv"]
        thread = await site.get("agent1", f"/v1/conversations/{found['conv']}")
        assert len(thread["messages"]) == 2
    without = states(await check(site))
    assert (without["intake"], without["stored"]) == ("skipped", "skipped")


async def test_nobody_looking_and_nobody_a_member_are_no_failures(site: Served) -> None:
    await ask(site, "PATCH", "inboxes/sales", {"members": []})
    found = await check(site, send=True)
    assert found["ok"]
    told = states(found)
    assert (told["members"], told["shown"], told["stored"]) == ("warning", "warning", "ok")


async def test_it_stops_where_the_engine_does_not_accept_the_number(site: Served) -> None:
    at = (await site.node.organisation.state()).seq
    await site.node.store.drop_number(inbox="sales", number=SALES, at=at)
    found = await check(site, send=True)
    assert found["stopped_at"] == "engine"
    assert set(list(states(found).values())[6:]) == {"skipped"}


async def test_it_stops_where_a_member_is_not_in_the_engines_inbox(site: Served) -> None:
    await site.node.store.remove(inbox="sales", user="agent1", role=None)
    found = await check(site)
    assert (found["stopped_at"], "Ana" in found["steps"][6]["says"]) == ("members", True)


async def test_it_stops_at_a_carrier_that_this_server_does_not_have(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as site:
        await site.node.administration.edit_number(SALES, carrier="pigeon")
        assert (await check(site))["stopped_at"] == "carrier"


async def test_it_stops_where_the_live_feed_is_behind(engine_url: str, prefix: str) -> None:
    async with (
        served(engine_url, prefix, engine_timeout_s=0.5, check_interval_s=600.0) as site,
        signed_in(site, await site.token("agent1")) as line,
    ):
        await line.until(Op.BADGE)
        # Nothing of what the engine publishes is heard any more.
        site.node.hub.heard = lambda *_: None  # type: ignore[method-assign]
        found = await check(site, send=True)
        assert found["stopped_at"] == "shown"
        assert states(found)["stored"] == "ok"


async def test_an_unknown_number_is_no_error(site: Served) -> None:
    answer = await ask(site, "POST", "numbers/+14165550199/check", {})
    assert (answer["stopped_at"], answer["conv"]) == ("known", None)
    bad = await site.call("admin", "POST", "/v1/admin/numbers/12/check", {})
    assert bad.status_code == 400

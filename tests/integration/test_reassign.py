"""Reassigning all of a person's conversations: each its own act, safe to repeat."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox import Client
from batonbox_server.service.reassign import Reassign
from batonbox_server.session.ports import Principal
from batonbox_server.store.holdings import RedisHoldings
from batonbox_server.store.holdings_port import Held
from tests.integration.audit_harness import audit
from tests.integration.sign_in_harness import until
from tests.served import SALES, SUPPORT, Served, served

BODY = bytes(msgpack.packb({"text": "hello", "media": []}))
ADMIN = Principal("admin", "admin")


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation: agent1 is in Sales alone."""
    async with served(engine_url, prefix) as site:
        yield site


async def held_by(site: Served, user: str, inbox: str, count: int) -> list[str]:
    """So many conversations of an inbox that the user has taken."""
    convs = []
    for n in range(count):
        received = await site.node.store.receive(
            inbox=inbox,
            our={"sales": SALES, "support": SUPPORT}[inbox],
            customer=f"+1416{'559' if inbox == 'sales' else '558'}{n:04}",
            provider_id=uuid.uuid4().hex,
            body=BODY,
            preview="hello",
        )
        await site.node.store.assign(conv=received.conv, actor=user, cid=uuid.uuid4().hex)
        convs.append(received.conv)
    return convs


async def reassign(site: Served, user: str, **body: Any) -> dict[str, Any]:
    """As the admin asks for it."""
    path = f"/v1/admin/users/{user}/reassign"
    answer = await site.call("admin", "POST", path, body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def holders(site: Served, convs: list[str]) -> Counter[str]:
    """Who has them, "" for nobody."""
    return Counter([(await _row(site, conv))["assignee"] for conv in convs])


async def _row(site: Served, conv: str) -> dict[str, Any]:
    return (await site.node.store.history(conv=conv, actor="admin", n=1)).row


async def test_everything_goes_over_and_each_is_an_act_of_the_admin(site: Served) -> None:
    convs = [
        *await held_by(site, "agent2", "sales", 250),
        *await held_by(site, "agent2", "support", 40),
    ]
    client: Client = await site.sdk("agent3")
    async with client:
        assert await reassign(site, "agent2", to="agent3") == {"moved": 290, "left": []}
        assert await holders(site, convs) == {"agent3": 290}

        green: dict[str, int] = {}
        async with asyncio.timeout(30), contextlib.aclosing(client.badges()) as badges:
            async for badge in badges:
                green[badge.inbox] = badge.green
                if sum(green.values()) == 290:
                    break
    told = await audit(site, action="transfer")
    assert {e["conv"] for e in told} == set(convs)
    assert len(told) == 290
    assert {(e["actor"], e["via"], e["before"]["assignee"], e["target"]) for e in told} == {
        ("admin", "api", "agent2", "agent3")
    }
    assert await reassign(site, "agent2", to="agent3") == {"moved": 0, "left": []}


async def test_null_returns_them_to_the_inbox_and_one_inbox_can_be_named(site: Served) -> None:
    sales = await held_by(site, "agent2", "sales", 3)
    support = await held_by(site, "agent2", "support", 2)
    assert await reassign(site, "agent2", to=None, inbox="sales") == {"moved": 3, "left": []}
    assert await holders(site, sales) == {"": 3}
    assert await holders(site, support) == {"agent2": 2}
    assert {e["action"] for e in await audit(site, actor="admin", inbox="sales")} >= {"return"}


async def test_who_is_no_member_there_gets_none_of_them(site: Served) -> None:
    sales = await held_by(site, "agent2", "sales", 2)
    support = await held_by(site, "agent2", "support", 2)
    outcome = await reassign(site, "agent2", to="agent1")
    assert outcome == {
        "moved": 2,
        "left": [{"conv": conv, "code": "target_not_member"} for conv in sorted(support)],
    }
    assert await holders(site, sales + support) == {"agent1": 2, "agent2": 2}


async def test_an_admin_takes_all_to_themselves_and_joins(site: Served) -> None:
    await site.node.administration.set_member(inbox="support", user="admin", on=False)
    convs = await held_by(site, "agent2", "support", 3)
    assert await reassign(site, "agent2", to="admin") == {"moved": 3, "left": []}
    assert await holders(site, convs) == {"admin": 3}
    assert len(await audit(site, action="take_over")) == 3

    async def joined() -> bool:
        return "support" in site.node.directory.joined_by("admin")

    await until(joined)


@pytest.mark.parametrize("to", ["agent3", None])
async def test_what_somebody_left_behind_goes_too(site: Served, to: str | None) -> None:
    """More than a removal returns in its own step, and no timer that does the rest."""
    convs = await held_by(site, "agent2", "support", 130)
    await site.node.timers.aclose()
    await site.node.administration.deactivate_user("agent2")
    left = Counter(await holders(site, convs))["agent2"]
    assert left == 30
    assert await reassign(site, "agent2", to=to) == {"moved": 30, "left": []}
    assert await holders(site, convs) == Counter({to: 30, "": 100} if to else {"": 130})


async def test_what_the_owner_does_meanwhile_wins(site: Served) -> None:
    node = site.node

    class Slow(RedisHoldings):
        """Between the look and the act the owner finishes one, and hands one over."""

        async def held(
            self, *, inbox: str, user: str, after_ms: int, n: int
        ) -> tuple[int, list[Held]]:
            top, found = await super().held(inbox=inbox, user=user, after_ms=after_ms, n=n)
            if found:
                done, over = found[0], found[1]
                await node.store.done(
                    conv=done.conv, actor=user, cid="d", own_tok=done.own_tok, seen=None
                )
                await node.store.transfer(
                    conv=over.conv, actor=user, cid="t", own_tok=over.own_tok, to="agent1"
                )
            return top, found

    convs = await held_by(site, "agent2", "sales", 3)
    slow = Reassign(Slow(node.client, keys=node.keys), node.commands, node.directory)
    outcome = await slow.run(ADMIN, user="agent2", to="agent3", inbox="sales")
    assert (outcome.moved, sorted(outcome.left)) == (
        1, sorted([(convs[0], "not_owner"), (convs[1], "stale_token")]),
    )  # fmt: skip
    assert await holders(site, convs) == {"": 1, "agent1": 1, "agent3": 1}


async def test_what_cannot_be_meant_is_refused(site: Served) -> None:
    await site.node.administration.deactivate_user("agent3")
    for user, body, status in (
        ("agent1", {"to": "agent1"}, 400),
        ("agent1", {}, 400),
        ("agent1", {"to": "nobody"}, 404),
        ("nobody", {"to": None}, 404),
        ("agent1", {"to": None, "inbox": "nowhere"}, 404),
        ("agent1", {"to": "agent3"}, 409),
    ):
        path = f"/v1/admin/users/{user}/reassign"
        answer = await site.call("admin", "POST", path, body)
        assert answer.status_code == status, (body, answer.text)

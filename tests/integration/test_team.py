"""Inviting people, and ending everything they could do, on every node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from batonbox_server.domain.model import Role
from batonbox_server.errors import Refused
from batonbox_server.service.invites import free_id
from batonbox_server.store.directory_port import Inbox, User
from batonbox_server.wire import Close, Op
from tests.integration.sign_in_harness import PASSWORD, Browser, person, until
from tests.served import SALES, Served, served

ANA = {"id": "agent1", "name": "Ana", "role": "member", "active": False, "bot": False, "away": ""}


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


async def admin(site: Served, method: str, path: str, body: Any = None) -> httpx2.Response:
    """A request of the admin's."""
    return await site.call("admin", method, f"/v1/admin/{path}", body)


async def invited(site: Served, **body: Any) -> dict[str, Any]:
    """An invitation that an admin made."""
    made = await admin(site, "POST", "invites", {"name": "Zoë Čapek", **body})
    assert made.status_code == 201, made.text
    return dict(made.json())


async def accept(
    site: Served, code: str, password: str = PASSWORD
) -> tuple[Browser, httpx2.Response]:
    """Open the link in a browser of one's own."""
    browser = Browser(site)
    body = {"code": code, "password": password}
    return browser, await browser.call("POST", "/v1/session/invite", body)


async def test_an_invitation_makes_the_member_it_says(site: Served) -> None:
    made = await invited(site, inboxes=["support", "sales"])
    assert made["user"] == "zoe-capek"
    assert made["link"] == f"{site.url}/sign-in#invite={made['code']}"
    looked = await Browser(site).call("POST", "/v1/session/invite/look", {"code": made["code"]})
    assert (looked.json()["user"], looked.json()["organisation"]) == ("zoe-capek", {"name": "Demo"})
    listed = (await admin(site, "GET", "invites")).json()["items"]
    assert [(i["id"], i["by"]) for i in listed] == [(made["id"], "admin")]
    assert made["code"] not in str(listed)
    raw = await site.node.client.execute("HVALS", f"{site.node.keys.org}:invites")
    assert made["code"].encode() not in b"".join(raw)

    browser, answer = await accept(site, made["code"])
    assert answer.json()["user"] == {
        "id": "zoe-capek", "name": "Zoë Čapek", "role": "member", "active": True, "bot": False,
        "away": "",
    }  # fmt: skip
    me = (await browser.call("GET", "/v1/me")).json()
    assert me["joined"] == ["sales", "support"]
    info = await site.node.store.inbox_info(inbox="sales")
    assert info is not None and "zoe-capek" in info.members
    assert (await admin(site, "GET", "invites")).json()["items"] == []
    assert (await Browser(site).sign_in("zoe-capek")).status_code == 200


async def test_an_invitation_works_once_on_any_node(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        made = await invited(east, user="zoe", role="admin")
        nodes = (east, west, east, west)
        answers = await asyncio.gather(*(accept(site, made["code"]) for site in nodes))
        assert sorted(a.status_code for _, a in answers) == [200, 401, 401, 401]
        winner = next(b for b, a in answers if a.status_code == 200)
        assert (await winner.call("GET", "/v1/me")).json()["inboxes"] == ["sales", "support"]


async def test_what_no_invitation_gets_past(site: Served) -> None:
    for body, code in (
        ({"user": "agent1"}, "conflict"),
        ({"user": "Bad Id"}, "bad_request"),
        ({"inboxes": ["nowhere"]}, "not_found"),
        ({"name": " "}, "bad_request"),
        ({"role": "owner"}, "bad_request"),
    ):
        refused = await admin(site, "POST", "invites", {"name": "Zoe", **body})
        assert refused.json()["code"] == code, body
    member = await site.call("agent1", "POST", "/v1/admin/invites", {"name": "Zoe"})
    assert member.status_code == 403
    made = await invited(site, user="zoe")
    again = await admin(site, "POST", "invites", {"name": "Zoe", "user": "zoe"})
    assert again.json()["code"] == "conflict"
    assert (await accept(site, made["code"], "short"))[1].status_code == 400
    assert (await admin(site, "DELETE", f"invites/{made['id']}")).status_code == 204
    assert (await admin(site, "DELETE", f"invites/{made['id']}")).status_code == 404
    assert (await accept(site, made["code"]))[1].status_code == 401
    # The id was taken by another way meanwhile.
    taken = await invited(site, user="zoe")
    await site.node.administration.create_user(User("zoe", "Another", Role.MEMBER))
    assert (await accept(site, taken["code"]))[1].status_code == 409
    assert await site.node.sessions.password("zoe") is None


async def test_an_invitation_ends_after_a_week(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batonbox_server.service.invites._TTL_MS", 0)
    made = await invited(site, user="zoe")
    assert (await accept(site, made["code"]))[1].status_code == 401
    with pytest.raises(Refused) as refused:
        await site.node.organisation.accept_invite("0" * 64, password="x")
    assert refused.value.slug == "unauthorized"
    assert (await admin(site, "GET", "invites")).json()["items"] == []
    monkeypatch.undo()
    await invited(site, user="zoe")  # the expired one is in nobody's way
    assert len(await site.node.organisation.invites()) == 1


async def test_a_deactivated_user_is_out_on_every_node(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        ana = await person(east, "agent1")
        link = await east.node.sign_in.make_link("agent1")
        token = await east.token("agent1")
        made = await ana.call("POST", "/v1/connection-tokens")
        connection_token = made.json()["token"]
        async with (
            ana.line(east) as here,
            ana.line(west) as there,
            Browser(west).line(token=token) as bot,
        ):
            for line in (here, there, bot):
                await line.until(Op.WELCOME)
            conv = await east.texts("hello")
            assert (await east.act("agent1", conv, "assign")).status_code == 200
            gone = await admin(east, "POST", "users/agent1/deactivate")
            assert gone.json() == ANA
            codes = [await line.close_code() for line in (here, there, bot)]
            assert codes == [Close.REVOKED] * 3
        row = await west.get("agent2", f"/v1/conversations/{conv}")
        assert (row["status"], row["assignee"]) == ("unassigned", None)
        for site in (east, west):
            assert (await Browser(site).sign_in("agent1")).status_code == 401
            for secret in (token, connection_token):
                bearer = {"authorization": f"Bearer {secret}"}
                assert (await site.http.get("/v1/me", headers=bearer)).status_code == 401
                async with Browser(site).line(token=secret) as line:
                    assert await line.close_code() == Close.UNAUTHORIZED
            looked = await ana.look()
            assert looked["signed_in"] is False
        with pytest.raises(Refused, match="deactivated"):
            await east.node.identity.make_token(user="agent1")
        with pytest.raises(Refused, match="deactivated"):
            await east.node.sign_in.make_link("agent1")
        with pytest.raises(Refused):
            await east.node.sign_in.by_link(link, address="127.0.0.1")
        # In the directory for the names in history, in no inbox.
        assert ANA in (await west.get("admin", "/v1/admin/users"))["items"]
        state = await west.node.organisation.state()
        assert not any("agent1" in inbox.members for inbox in state.inboxes.values())
        refused = await admin(west, "PUT", "inboxes/sales/members/agent1")
        assert refused.status_code == 409
        moved = await west.act("admin", conv, "assign", to="agent1")
        assert moved.json()["code"] in {"target_not_member", "bad_request"}


async def test_a_token_read_just_before_lets_nobody_in(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deactivation falls between the look at the token and the answer to it."""
    organisation, token = site.node.organisation, await site.token("agent1")
    read = organisation.token

    async def overtaken(sha256: str) -> Any:
        found = await read(sha256)
        await site.node.administration.deactivate_user("agent1")
        return found

    monkeypatch.setattr(organisation, "token", overtaken)
    with pytest.raises(Refused) as refused:
        await site.node.identity.authenticate(token)
    assert refused.value.slug == "unauthorized"


async def test_reactivation_gives_what_is_asked_for(site: Served) -> None:
    await site.node.sign_in.set_password("agent2", PASSWORD)
    await admin(site, "POST", "users/agent2/deactivate")
    assert (await admin(site, "POST", "users/agent2/deactivate")).status_code == 200
    back = await admin(site, "POST", "users/agent2/reactivate", {"inboxes": ["support"]})
    assert back.json()["active"] is True
    browser = Browser(site)
    assert (await browser.sign_in("agent2")).status_code == 200
    assert (await browser.call("GET", "/v1/me")).json()["inboxes"] == ["support"]
    await admin(site, "POST", "users/agent3/deactivate")
    await admin(site, "POST", "users/agent3/reactivate")
    assert site.node.directory.inboxes_of("agent3") == frozenset()
    unknown = await admin(site, "POST", "users/agent3/reactivate", {"inboxes": ["nowhere"]})
    assert unknown.status_code == 404
    assert (await admin(site, "POST", "users/nobody/deactivate")).status_code == 404
    assert (await site.call("agent2", "POST", "/v1/admin/users/admin/deactivate")).status_code in {
        401,
        403,
    }


async def test_an_active_admin_always_remains(site: Served) -> None:
    async def tried() -> list[int]:
        return [
            (await admin(site, "POST", "users/admin/deactivate")).status_code,
            (await admin(site, "PATCH", "users/admin", {"role": "member"})).status_code,
            (await admin(site, "DELETE", "users/admin")).status_code,
        ]

    assert await tried() == [409] * 3
    await admin(site, "PATCH", "users/agent1", {"role": "admin"})
    await admin(site, "POST", "users/agent1/deactivate")
    assert await tried() == [409] * 3  # an inactive admin counts for nothing
    info = await site.node.store.inbox_info(inbox="support")
    assert info is not None and "agent1" not in info.members
    await admin(site, "POST", "users/agent1/reactivate")
    info = await site.node.store.inbox_info(inbox="support")
    assert info is not None and info.members["agent1"][:2] == (Role.ADMIN, False)
    # Two who end each other at once: one of them stays.
    ends = await asyncio.gather(
        *(site.node.administration.deactivate_user(user) for user in ("admin", "agent1")),
        return_exceptions=True,
    )
    assert sorted(type(end).__name__ for end in ends) == ["NoneType", "Refused"]


async def test_a_node_that_dies_leaves_nothing_undone(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        many = [f"box{number}" for number in range(8)]
        for name in many:
            await east.node.administration.create_inbox(Inbox(name, name, ("agent1",), ()))
        numbers = [f"+1416555{1000 + n}" for n in range(len(many))]
        for name, number in zip(many, numbers, strict=True):
            await east.node.administration.edit_inbox(name, numbers=(number,))
        convs: list[str] = []
        for number in [SALES] * 120 + numbers:
            customer = f"+14165552{len(convs):03}"
            conv = await east.texts("hello", to=number, customer=customer)
            assert (await east.act("agent1", conv, "assign")).status_code == 200
            convs.append(conv)
        ana = await person(west, "agent1")
        async with ana.line() as line:
            await line.until(Op.WELCOME)
            # The change is written, and its node does nothing more.
            jobs = await east.node.organisation.deactivate_user("agent1")
            assert await line.close_code() == Close.REVOKED
        assert sorted(job.kind for job in jobs) == ["leave_rooms", *["sync"] * (1 + len(many))]
        due = f"{east.node.keys.org}:due"
        for job in jobs:
            await east.node.client.execute("ZADD", due, 0, job.id)  # the lease is over
        await until(lambda: returned(west, convs))
        for inbox in ("sales", *many):
            info = await west.node.store.inbox_info(inbox=inbox)
            assert info is not None and "agent1" not in info.members


async def returned(site: Served, convs: list[str]) -> bool:
    """Whether every one of them is nobody's."""
    for conv in convs:
        if (await site.get("admin", f"/v1/conversations/{conv}"))["assignee"] is not None:
            return False
    return True


def test_ids_are_made_of_names() -> None:
    assert free_id("Dana Smith", taken=()) == "dana-smith"
    assert free_id("Dana Smith", taken={"dana-smith", "dana-smith-2"}) == "dana-smith-3"
    assert free_id("Żółć  O'Neil!", taken=()) == "zoc-o-neil"
    assert free_id("安娜", taken=()).startswith("user-")
    assert len(free_id("x" * 200, taken=())) <= 64

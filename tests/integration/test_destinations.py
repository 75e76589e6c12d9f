"""Destinations become inboxes with their first number; kept messages are routed exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from batonbox_server.service.answers import Answers
from batonbox_server.service.intake import Intake
from batonbox_server.service.unrouted import Unrouted
from batonbox_server.wire import Op
from tests.integration.test_administration import Line, signed_in
from tests.integration.test_numbers_moving import NUMBER, admin, ask, customer, stored
from tests.served import SALES, Served, served

OTHER = "+14165550178"


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


async def desk(site: Served, **more: Any) -> Any:
    """A destination with a member and no number."""
    body = {"id": "desk", "name": "Desk", "members": ["agent1"], **more}
    return await ask(site, "POST", "inboxes", body)


def about(line: Line, inbox: str) -> list[list[Any]]:
    """Everything the line was sent that names the inbox."""
    return [frame for frame in line.frames if inbox in repr(frame)]


async def test_an_inbox_appears_live_when_its_first_number_is_assigned(
    engine_url: str, prefix: str
) -> None:
    async with (
        served(engine_url, prefix) as east,
        served(engine_url, prefix) as west,
        signed_in(west, await west.token("agent1")) as line,
    ):
        made = await desk(east, kind="welcome_menu", extension="7")
        assert (made["live"], made["kind"], made["extension"]) == (False, "welcome_menu", "7")
        assert [i["id"] for i in (await west.get("agent1", "/v1/inboxes"))["items"]] == ["sales"]
        assert (await west.call("agent1", "GET", "/v1/inboxes/desk")).status_code == 404
        assert await east.node.store.inbox_info(inbox="desk") is None
        # A number without messaging, and an event that everybody is told of, change nothing.
        await ask(east, "PUT", f"numbers/{NUMBER}", {"inbox": "desk", "messaging": False})
        await ask(east, "PATCH", "inboxes/sales", {"name": "Sales now"})
        assert (await line.until(Op.ORG, "inbox"))[2]["name"] == "Sales now"
        assert about(line, "desk") == []
        await ask(east, "PATCH", f"numbers/{NUMBER}", {"messaging": True})
        told = (await line.until(Op.ORG, "inbox"))[2]
        assert told == {
            "id": "desk",
            "name": "Desk",
            "numbers": [NUMBER],
            "members": ["agent1"],
            "kind": "welcome_menu",
            "extension": "7",
            "members_may_dispatch": False,
        }
        conv = await east.texts("first", to=NUMBER)
        while (await line.until(Op.BADGE))[1:5] != ["desk", 1, 0, 1]:
            pass
        assert (await west.act("agent1", conv, "assign")).status_code == 200
        # Without its number it stays, with its history, and takes nothing more.
        await ask(east, "PATCH", f"numbers/{NUMBER}", {"inbox": None})
        assert (await line.until(Op.ORG, "inbox"))[2]["numbers"] == []
        await ask(east, "PUT", f"numbers/{OTHER}", {"inbox": "sales"})
        assert (await west.get("agent1", f"/v1/conversations/{conv}"))["preview"] == "first"
        refused = await west.act("agent1", conv, "reply", text="from where?")
        assert refused.json()["code"] == "number_not_routed"


async def test_extensions_and_kinds_are_checked(site: Served) -> None:
    for body, code in (
        ({"extension": "100"}, "conflict"),
        ({"extension": "1x"}, "bad_request"),
        ({"extension": "12345678901"}, "bad_request"),
        ({"kind": "lobby"}, "bad_request"),
        ({"numbers": [SALES]}, "conflict"),
    ):
        answer = await admin(site, "POST", "inboxes", {"name": "Desk", **body})
        assert answer.json()["code"] == code, answer.text
    taken = await admin(site, "PATCH", "inboxes/support", {"extension": "100"})
    assert "'Sales'" in taken.json()["detail"]
    freed = await ask(site, "PATCH", "inboxes/sales", {"extension": ""})
    assert (freed["extension"], freed["kind"]) == ("", "department")
    moved = await ask(site, "PATCH", "inboxes/support", {"extension": "100", "kind": "department"})
    assert (moved["extension"], moved["kind"]) == ("100", "department")


async def test_the_records_of_numbers_outlive_what_they_delivered_to(site: Served) -> None:
    await desk(site, numbers=[NUMBER, OTHER])
    rows = {row["number"]: row for row in (await ask(site, "GET", "numbers"))["items"]}
    assert rows[NUMBER] == {
        "number": NUMBER,
        "carrier": "loopback",
        "messaging": True,
        "inbox": "desk",
        "kept": 0,
    }
    assert (await ask(site, "PATCH", "inboxes/desk", {"numbers": [OTHER]}))["numbers"] == [OTHER]
    await ask(site, "DELETE", "inboxes/desk")
    rows = {row["number"]: row for row in (await ask(site, "GET", "numbers"))["items"]}
    assert (rows[NUMBER]["inbox"], rows[OTHER]["inbox"]) == (None, None)
    await ask(site, "DELETE", f"numbers/{OTHER}")
    assert (await admin(site, "DELETE", f"numbers/{OTHER}")).status_code == 404
    assert (await admin(site, "PATCH", f"numbers/{OTHER}", {})).status_code == 404
    assert [row["id"] for row in (await ask(site, "GET", "carriers"))["items"]] == ["loopback"]


async def test_kept_messages_are_routed_once_by_any_number_of_admins(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        await desk(east)
        texts = [f"kept {number}" for number in range(12)]
        for number, text in enumerate(texts):
            body = {"from": customer(number % 2), "to": NUMBER, "text": text, "id": text}
            answer = await east.call("admin", "POST", "/v1/loopback/inbound", body)
            assert answer.json()["code"] == "number_not_routed"
        nowhere = await admin(east, "POST", "unrouted/route", {"number": NUMBER})
        assert nowhere.json()["code"] == "bad_request"
        # One process delivers some, and dies before it notes the last of them.
        await ask(east, "PUT", f"numbers/{NUMBER}", {"inbox": "desk"})
        await _dies_after(east, 5)
        assert (await ask(west, "GET", "numbers"))["items"][2]["kept"] == 8
        body = {"number": NUMBER, "inbox": "desk"}
        both = await asyncio.gather(
            *(ask(node, "POST", "unrouted/route", body) for node in (east, west))
        )
        assert [routed["left"] for routed in both] == [0, 0]
        found = await stored(east, "desk")
        assert found == {customer(0): texts[0::2], customer(1): texts[1::2]}
        elsewhere = {"number": NUMBER, "inbox": "sales"}
        assert (await admin(east, "POST", "unrouted/route", elsewhere)).status_code == 409


async def _dies_after(site: Served, most: int) -> None:
    class Dies(BaseException):
        pass

    class Dying:
        """The directory's store, until it has let go of so many but one."""

        def __init__(self) -> None:
            self.left = most

        def __getattr__(self, name: str) -> Any:
            return getattr(site.node.organisation, name)

        async def drop_unrouted(self, provider_id: str) -> None:
            self.left -= 1
            if not self.left:
                raise Dies
            await site.node.organisation.drop_unrouted(provider_id)

    node = site.node
    answers = Answers(node.directory, node.carriers.accounts)
    intake = Intake(
        node.store,
        Dying(),
        node.media,
        node.opt_outs,
        answers,
        node.durability,
        on_outbound=lambda _: None,
    )
    routing = Unrouted(site.node.organisation, site.node.administration, intake)
    with pytest.raises(Dies):
        await routing.route(NUMBER, inbox="")


async def test_what_is_kept_can_be_discarded_and_a_retry_that_arrives_is_kept_no_longer(
    site: Served,
) -> None:
    await desk(site)
    for text in ("one", "two"):
        body = {"from": customer(1), "to": NUMBER, "text": text, "id": text}
        await site.call("admin", "POST", "/v1/loopback/inbound", body)
    await ask(site, "PUT", f"numbers/{NUMBER}", {"inbox": "desk"})
    # The carrier tries the second again by itself.
    assert (await site.call("admin", "POST", "/v1/loopback/inbound", body)).status_code == 201
    left = (await ask(site, "GET", "unrouted"))["items"]
    assert [(message["text"], message["reason"]) for message in left] == [("one", "unknown number")]
    await ask(site, "DELETE", f"unrouted/{NUMBER}")
    assert (await ask(site, "GET", "unrouted"))["items"] == []
    assert await stored(site, "desk") == {customer(1): ["two"]}


async def test_the_organisation_is_renamed(site: Served) -> None:
    assert await ask(site, "PATCH", "organisation", {"name": " Acme "}) == {"name": "Acme"}
    assert (await site.get("agent1", "/v1/me"))["organisation"] == {"name": "Acme"}
    assert (await admin(site, "PATCH", "organisation", {"name": " "})).status_code == 400

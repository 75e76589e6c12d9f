"""The simulator's race: five bots, one winner, and nobody stays behind."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from batonbox_server.errors import Refused
from batonbox_server.service.intake import Inbound, Intake
from batonbox_server.service.race import Races
from batonbox_server.store.port import Received
from tests.served import CUSTOMER, SALES, SUPPORT, Served, served
from tests.support import eventually

BOTS = {f"race-bot-{n}": f"Race bot {n}" for n in range(1, 6)}
PATH = "/v1/loopback/race"
SOLD = {"from": CUSTOMER, "to": SALES, "text": "Who is first?"}


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


async def members(site: Served, inbox: str = "sales") -> list[str]:
    """Who is in the inbox: as the directory has it, and as the inbox itself does."""
    info = await site.node.store.inbox_info(inbox=inbox)
    assert info is not None
    joined = sorted(user for user, (_, joined, *_) in info.members.items() if joined)
    assert joined == sorted(site.node.directory.inboxes[inbox].members)
    return joined


async def kinds(site: Served, conv: str) -> list[tuple[str, str]]:
    """The thread's lines as (kind, actor)."""
    found = await site.get("admin", f"/v1/conversations/{conv}/messages")
    return [(line["kind"], line["actor"] or "") for line in found["items"]]


async def test_one_bot_wins_answers_and_all_leave(site: Served) -> None:
    before = await members(site)
    answer = await site.call("admin", "POST", PATH, SOLD)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    winner = told["winner"]
    assert BOTS[winner["id"]] == winner["name"]
    lost = told["losers"]
    assert {bot["id"]: bot["name"] for bot in [winner, *lost]} == BOTS
    assert {(bot["code"], bot["owner"]) for bot in lost} == {("conflict", winner["id"])}
    assert 0 < told["ms"] < 10_000
    assert sorted(await kinds(site, told["conv"])) == sorted(
        [("received", ""), *((kind, winner["id"]) for kind in ("assigned", "replied", "done"))]
    )
    row = await site.get("admin", f"/v1/conversations/{told['conv']}")
    assert (row["status"], row["assignee"]) == ("done", None)
    assert await site.phone_with(1) == [f"{winner['name']} here. 4 others wanted this one, too."]
    assert await members(site) == before


async def test_races_can_be_run_again_and_every_bot_has_a_chance(site: Served) -> None:
    won = set()
    for _ in range(40):
        answer = await site.call("admin", "POST", PATH, SOLD)
        assert answer.status_code == 200, answer.text
        won.add(answer.json()["winner"]["id"])
        if len(won) > 1:
            break
    assert len(won) > 1


async def test_a_person_who_was_there_first_wins(site: Served) -> None:
    before = await members(site)
    conv = await site.texts("Hi")
    assert (await site.act("agent1", conv, "assign")).is_success
    told = (await site.call("admin", "POST", PATH, SOLD)).json()
    assert told["winner"] == {"id": "agent1", "name": "Ana"}
    assert {(bot["id"], bot["owner"]) for bot in told["losers"]} == {(b, "agent1") for b in BOTS}
    row = await site.get("admin", f"/v1/conversations/{conv}")
    assert (row["status"], row["assignee"]) == ("assigned", "agent1")
    assert await site.phone() == []
    assert await members(site) == before


async def test_one_race_at_a_time_in_an_inbox(site: Served) -> None:
    other = {"from": "+14165550143", "to": SUPPORT, "text": "And here?"}
    answers = await asyncio.gather(
        site.call("admin", "POST", PATH, SOLD),
        site.call("admin", "POST", PATH, SOLD),
        site.call("admin", "POST", PATH, other),
    )
    assert sorted(answer.status_code for answer in answers[:2]) == [200, 409]
    assert answers[2].status_code == 200, answers[2].text
    assert (await site.call("admin", "POST", PATH, SOLD)).status_code == 200


async def test_a_winner_who_cannot_answer_leaves_the_conversation_to_the_team(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix, text_max_chars=10) as site:
        before = await members(site)
        told = (await site.call("admin", "POST", PATH, SOLD)).json()
        assert told["winner"]["id"] in BOTS
        row = await site.get("admin", f"/v1/conversations/{told['conv']}")
        assert (row["status"], row["assignee"]) == ("unassigned", None)
        assert await members(site) == before


class Mute(Intake):
    """Takes no message: the race fails between the bots' coming and their going."""

    def __init__(self) -> None:
        """Without a store there is none that could take it."""

    async def receive(self, message: Inbound) -> Received:
        del message
        raise Refused("unavailable")


async def test_bots_leave_a_race_that_failed(site: Served) -> None:
    before = await members(site)
    node = site.node
    races = Races(Mute(), node.commands, node.administration, node.directory)
    for _ in range(2):  # the second is refused for the same reason: the first has ended
        with pytest.raises(Refused, match="unreachable"):
            await races.run(our=SALES, customer=CUSTOMER, text="Hi")
    assert node.directory.users.keys() >= BOTS.keys()
    assert await members(site) == before


async def test_a_race_goes_on_without_who_asked_for_it(site: Served) -> None:
    before = await members(site)
    asked = asyncio.get_running_loop().create_task(
        site.node.races.run(our=SALES, customer=CUSTOMER, text="Hi")
    )
    await eventually(lambda: "race-bot-1" in site.node.directory.inboxes["sales"].members)
    asked.cancel()
    assert len(await site.phone_with(1)) == 1
    await eventually(lambda: sorted(site.node.directory.inboxes["sales"].members) == before)
    await site.node.races.aclose()
    assert await members(site) == before


async def test_a_server_that_stops_takes_the_bots_out(site: Served) -> None:
    before = await members(site)
    asked = asyncio.get_running_loop().create_task(
        site.node.races.run(our=SALES, customer=CUSTOMER, text="Hi")
    )
    await eventually(lambda: "race-bot-1" in site.node.directory.inboxes["sales"].members)
    await site.node.races.aclose()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await members(site) == before


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"from": "x"}, 400, "bad_request"),
        ({"text": ""}, 400, "bad_request"),
        ({"bots": 9}, 400, "bad_request"),
        ({"to": "+14165550999"}, 409, "number_not_routed"),
    ],
)
async def test_a_race_that_cannot_be_is_refused(
    site: Served, changed: dict[str, Any], status: int, code: str
) -> None:
    answer = await site.call("admin", "POST", PATH, {**SOLD, **changed})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_no_race_over_a_number_of_real_phones(engine_url: str, prefix: str) -> None:
    secret = base64.b64encode(b"k" * 32).decode()
    async with served(engine_url, prefix, webhook_secret=secret) as site:
        bound = await site.call(
            "admin",
            "PUT",
            f"/v1/admin/numbers/{SALES.replace('+', '%2B')}",
            {"inbox": "sales", "carrier": "webhook"},
        )
        assert bound.is_success, bound.text
        answer = await site.call("admin", "POST", PATH, SOLD)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        numbers = (await site.get("admin", "/v1/loopback/numbers"))["items"]
        assert [item["number"] for item in numbers] == [SUPPORT]


async def test_the_simulators_numbers_and_who_may_use_it(
    site: Served, engine_url: str, prefix: str
) -> None:
    want = [
        {"number": SALES, "inbox": "sales", "name": "Sales"},
        {"number": SUPPORT, "inbox": "support", "name": "Support"},
    ]
    assert (await site.get("admin", "/v1/loopback/numbers"))["items"] == want
    for method, path in (("GET", "/v1/loopback/numbers"), ("POST", PATH)):
        answer = await site.call("agent1", method, path, SOLD if method == "POST" else None)
        assert answer.status_code == 403
    async with served(engine_url, f"{prefix}d", as_demo=True) as demo:
        assert (await demo.get("agent1", "/v1/loopback/numbers"))["items"] == want
        assert (await demo.call("agent1", "POST", PATH, SOLD)).status_code == 200
    async with served(engine_url, f"{prefix}n", loopback=False) as plain:
        assert (await plain.call("admin", "POST", PATH, SOLD)).status_code == 404
        assert (await plain.call("admin", "GET", "/v1/loopback/numbers")).status_code == 404

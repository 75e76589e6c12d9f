"""A number that moves loses nothing, doubles nothing, and the check tells where it stands."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import httpx2
import pytest

from batonbox_server.errors import Refused
from batonbox_server.service.intake import Inbound
from batonbox_server.store.port import Received
from tests.served import Served, served
from tests.support import eventually

NUMBER = "+14165550177"
CUSTOMERS, EACH, MOVES = 6, 100, 14
CHECK = f"/v1/admin/numbers/{NUMBER}/check"


async def admin(site: Served, method: str, path: str, body: Any = None) -> httpx2.Response:
    """An admin's request."""
    return await site.call("admin", method, f"/v1/admin/{path}", body)


async def ask(site: Served, method: str, path: str, body: Any = None) -> Any:
    """The same; it succeeds."""
    answer = await admin(site, method, path, body)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def checked(site: Served, *, send: bool = False) -> dict[str, Any]:
    """What the check says: by step, and where it stopped."""
    found = await ask(site, "POST", f"numbers/{NUMBER}/check", {"send": send})
    return {"stopped": found["stopped_at"], **{s["step"]: s["state"] for s in found["steps"]}}


def customer(number: int) -> str:
    """One of those who write."""
    return f"+1416555{2000 + number}"


class Carrier:
    """A carrier that sends each customer's messages in their order, many of them twice."""

    def __init__(self, nodes: list[Served], *, seed: int) -> None:
        self.nodes = nodes
        self.random = random.Random(seed)
        self.sent: dict[str, list[str]] = {}
        self.refused = 0

    async def pour(self) -> None:
        """Everything, from all customers at once."""
        async with asyncio.TaskGroup() as group:
            for number in range(CUSTOMERS):
                group.create_task(self._customer(customer(number)))

    async def _customer(self, name: str) -> None:
        for number in range(EACH):
            await self.bring(name, f"{name}-{number:03}")

    async def bring(self, name: str, text: str) -> None:
        """One message: to one node, or to both at once, or once more after its answer."""
        self.sent.setdefault(name, []).append(text)
        first, second = self.random.sample(self.nodes, 2)
        await asyncio.gather(
            *(
                self._once(node, name, text)
                for node in ([first, second] if self.random.random() < 0.4 else [first])
            )
        )
        if self.random.random() < 0.3:
            await self._once(second, name, text)

    async def _once(self, node: Served, name: str, text: str) -> None:
        try:
            await node.node.intake.receive(Inbound("loopback", text, NUMBER, name, text))
        except Refused as refused:
            if refused.slug != "number_not_routed":
                raise
            self.refused += 1


async def stored(site: Served, inbox: str) -> dict[str, list[str]]:
    """The customers' texts as the inbox keeps them, by customer, in their order."""
    found: dict[str, list[str]] = {}
    snapshot = await site.node.store.snapshot(inbox=inbox)
    for row in snapshot.rows:
        thread = await site.node.store.history(conv=row["id"], actor="admin", n=1000)
        texts = [line[7]["text"] for line in thread.messages if line[3] == "received"]
        found.setdefault(row["customer"], []).extend(texts)
    return found


async def where(site: Served, carrier: Carrier) -> dict[str, int]:
    """Every message is in one inbox, once, in order; how many each has."""
    boxes = {inbox: await stored(site, inbox) for inbox in ("desk", "night")}
    for name, sent in carrier.sent.items():
        parts = [box.get(name, []) for box in boxes.values()]
        assert sorted(text for part in parts for text in part) == sorted(sent)
        assert all(part == sorted(part) for part in parts)
    return {inbox: sum(map(len, box.values())) for inbox, box in boxes.items()}


async def destinations(site: Served) -> None:
    """Two that have no number yet."""
    for inbox, kind in (("desk", "department"), ("night", "ring_group")):
        body = {"id": inbox, "name": inbox.title(), "kind": kind, "members": ["agent1"]}
        assert (await ask(site, "POST", "inboxes", body))["live"] is False


async def test_a_number_moved_while_messages_pour_in_loses_and_doubles_nothing(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        nodes = [east, west]
        await destinations(east)
        assert (await checked(west))["stopped"] == "known"
        await ask(east, "PUT", f"numbers/{NUMBER}", {"carrier": "loopback"})
        assert (await checked(west))["stopped"] == "assigned"
        await ask(east, "PATCH", f"numbers/{NUMBER}", {"inbox": "desk"})
        carrier = Carrier(nodes, seed=7)
        pouring = asyncio.get_running_loop().create_task(carrier.pour())
        for move in range(MOVES):
            inbox = ("night", "desk")[move % 2]
            moved = await ask(nodes[move % 2], "PATCH", f"numbers/{NUMBER}", {"inbox": inbox})
            assert moved["inbox"] == inbox
            report = await ask(west, "POST", f"numbers/{NUMBER}/check", {"send": False})
            assert report["ok"], report
            assert inbox.title() in report["steps"][3]["says"]
            assert not pouring.done() or move > 3, "nothing came while the number moved"
        await pouring
        assert carrier.refused == 0
        assert (await east.get("admin", "/v1/admin/unrouted"))["items"] == []
        counts = await where(east, carrier)
        assert sum(counts.values()) == CUSTOMERS * EACH
        assert min(counts.values()) > 0
        await _unassigned(east, west, carrier)


async def _unassigned(east: Served, west: Served, carrier: Carrier) -> None:
    before = await where(east, carrier)
    await ask(east, "PATCH", f"numbers/{NUMBER}", {"inbox": None})
    assert (await checked(west, send=True))["stopped"] == "assigned"
    waiting = [f"{customer(0)}-{900 + number}" for number in range(5)]
    for text in waiting[:3]:
        await carrier.bring(customer(0), text)
    await ask(east, "PATCH", f"numbers/{NUMBER}", {"inbox": "night", "messaging": False})
    assert (await checked(east))["stopped"] == "messaging"
    for text in waiting[3:]:
        await carrier.bring(customer(0), text)
    assert carrier.refused >= 5
    kept = (await east.get("admin", "/v1/admin/unrouted"))["items"]
    assert [message["text"] for message in reversed(kept)] == waiting
    assert [message["reason"] for message in kept] == ["messaging off"] * 2 + ["not assigned"] * 3
    body = {"number": NUMBER, "inbox": "night"}
    assert (await admin(west, "POST", "unrouted/route", body)).json()["code"] == "conflict"
    await ask(west, "PATCH", f"numbers/{NUMBER}", {"messaging": True})
    routed = await ask(west, "POST", "unrouted/route", {"number": NUMBER})
    assert routed == {"number": NUMBER, "inbox": "night", "delivered": 5, "left": 0}
    after = await where(east, carrier)
    assert (after["desk"], after["night"]) == (before["desk"], before["night"] + 5)
    assert (await checked(east))["stopped"] is None


async def test_a_message_that_one_inbox_refused_is_never_stored_there_by_somebody_late(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as site:
        await destinations(site)
        await ask(site, "PUT", f"numbers/{NUMBER}", {"inbox": "desk"})
        store, organisation = site.node.store, site.node.organisation
        # Two take the same message to the desk; the number leaves before either is there.
        late = await organisation.pin(number=NUMBER, provider_id="loopback:m1", inbox="desk")

        async def arrive() -> Received:
            body = {"our": NUMBER, "customer": customer(1), "body": b"\x81\xa4text\xa1x"}
            return await store.receive(
                inbox=late.inbox,
                provider_id="loopback:m1",
                preview="x",
                turn=late.turn,
                **body,  # type: ignore[arg-type]
            )

        await ask(site, "PATCH", f"numbers/{NUMBER}", {"inbox": "night"})
        received = await site.node.intake.receive(
            Inbound("loopback", "m1", NUMBER, customer(1), "x")
        )
        assert received.conv.startswith("night.")
        await ask(site, "PATCH", f"numbers/{NUMBER}", {"inbox": "desk"})
        with pytest.raises(Refused, match="number"):
            await arrive()
        again = await site.node.intake.receive(Inbound("loopback", "m1", NUMBER, customer(1), "x"))
        assert (again.duplicate, again.conv) == (True, received.conv)


async def test_who_looked_at_the_directory_earlier_cannot_take_a_number_away(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as site:
        await destinations(site)
        await ask(site, "PUT", f"numbers/{NUMBER}", {"inbox": "night"})
        await ask(site, "PATCH", f"numbers/{NUMBER}", {"inbox": "desk"})
        early = (await site.node.organisation.state()).seq
        await ask(site, "PATCH", f"numbers/{NUMBER}", {"inbox": "night"})
        await ask(site, "PATCH", f"numbers/{NUMBER}", {"inbox": "desk"})
        # Another node, at a time when the desk was to let the number go, and slow in doing so.
        stale = await site.node.store.drop_number(inbox="desk", number=NUMBER, at=early)
        assert stale > early
        assert (await site.texts("hello", to=NUMBER)).startswith("desk.")
        # An engine that has forgotten the end of the organisation's log can be put right.
        future = (await site.node.organisation.state()).seq + 1000
        await site.node.store.drop_number(inbox="desk", number=NUMBER, at=future)
        await ask(site, "PUT", "inboxes/desk/members/agent2")
        assert (await site.texts("again", to=NUMBER)).startswith("desk.")


async def test_a_move_that_its_node_did_not_finish_is_finished_by_another(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        await destinations(east)
        await ask(east, "PUT", f"numbers/{NUMBER}", {"inbox": "desk"})
        jobs = await east.node.organisation.edit_number(
            NUMBER, inbox="night", carrier=None, messaging=None
        )
        # Written, and nothing more: the inbox before goes on.
        assert (await east.texts("one", to=NUMBER)).startswith("desk.")
        assert (await ask(east, "GET", "numbers"))["items"][2]["inbox"] == "desk"
        for job in jobs:
            due = f"{east.node.keys.org}:due"
            await east.node.client.execute("ZADD", due, 0, job.id)
        await eventually(lambda: west.node.directory.routes[NUMBER].delivers == "night")
        await eventually(lambda: "night" in east.node.directory.inboxes)
        assert (await east.texts("two", to=NUMBER)).startswith("night.")

"""The main job, end to end: a team shares one number and nobody collides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from batonbox import AlreadyAssigned, Badge, Client, NewActivity, NotOwner, StaleToken
from tests.served import CUSTOMER, SALES, Served, served
from tests.support import eventually


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


class Desk:
    """A member at a screen: their client, badges of Sales, and notices."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.badge: Badge | None = None
        self.notices: list[str] = []
        self.rows: dict[str, str] = {}

    def shows(self, blue: int, green: int, unassigned: int) -> bool:
        """Whether the badge of Sales is this."""
        return self.badge is not None and (
            self.badge.blue,
            self.badge.green,
            self.badge.unassigned,
        ) == (blue, green, unassigned)

    def flag(self, conv: str) -> str:
        """The flag of a row as its indicators say: green mine, grey somebody else's."""
        row = self.client.row(conv)
        if row is None or row.status != "assigned":
            return ""
        return "green" if row.assignee == self.client.user.id else "grey"


@asynccontextmanager
async def at_work(site: Served, user: str) -> AsyncIterator[Desk]:
    """The member signed in, following Sales."""
    async with await site.sdk(user) as client:
        desk = Desk(client)

        async def badges() -> None:
            async for badge in client.badges():
                if badge.inbox == "sales":
                    desk.badge = badge

        async def events() -> None:
            async with client.events(inbox="sales") as stream:
                async for event in stream:
                    kind = getattr(event, "kind", "")
                    if kind:
                        desk.notices.append(kind)

        tasks = [asyncio.get_running_loop().create_task(work()) for work in (badges, events)]
        await eventually(lambda: client.position("sales") is not None)
        try:
            yield desk
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_customers_message_from_arrival_to_done_and_back(site: Served) -> None:
    async with AsyncExitStack() as stack:
        ana, bo, alex = [
            await stack.enter_async_context(at_work(site, user))
            for user in ("agent1", "agent2", "admin")
        ]
        conv = await site.texts("Hi, is my order ready?")
        # Blue for everybody.
        await eventually(lambda: all(desk.shows(1, 0, 1) for desk in (ana, bo, alex)))

        # One takes it: green flag for her, grey for the others, blue gone for all.
        hers = await ana.client.conversation(conv)
        await hers.claim()
        await eventually(lambda: ana.flag(conv) == "green" and bo.flag(conv) == "grey")
        await eventually(lambda: ana.shows(0, 1, 0) and bo.shows(0, 0, 0))

        # The other's assign is refused on both transports, naming the owner.
        his = await bo.client.conversation(conv)
        with pytest.raises(AlreadyAssigned) as lost:
            await his.claim()
        assert lost.value.by == "agent1"
        answer = await site.act("agent2", conv, "assign")
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert answer.json()["cur"]["assignee"] == "agent1"
        assert "agent1" in answer.json()["detail"]
        with pytest.raises(NotOwner):
            await his.reply("not mine to say")

        # An admin's Assign to Me does not steal; a transfer to themselves does, and Ana is told.
        admins = await alex.client.conversation(conv)
        with pytest.raises(AlreadyAssigned):
            await admins.claim()
        await admins.transfer("admin")
        await eventually(lambda: "taken_from_you" in ana.notices)
        await eventually(lambda: ana.flag(conv) == "grey" and alex.shows(0, 1, 0))
        with pytest.raises((NotOwner, StaleToken)):
            await hers.reply("too late")

        # The owner replies; the customer reads it.
        await admins.reply("Yes, come by.")
        await eventually(lambda: alex.shows(0, 0, 0))
        assert await site.phone_with(1) == ["Yes, come by."]
        assert [m.state for m in await admins.history() if m.kind == "replied"][-1] in {
            "queued",
            "sent",
            "delivered",
        }

        # Hand over: green for the target even though everything was read.
        await admins.transfer("agent2", note="please finish")
        await eventually(lambda: bo.shows(0, 1, 0) and "handed_to_you" in bo.notices)

        # Return: blue for all but him.
        await his.refresh()
        await his.release()
        await eventually(lambda: ana.shows(1, 0, 1) and alex.shows(1, 0, 1))
        await eventually(lambda: bo.shows(0, 0, 1))

        # Done: nothing left for anybody. The guard refuses while there is a newer message.
        await his.claim()
        before = his.now
        await site.texts("And one more thing")
        with pytest.raises(NewActivity):
            await bo.client.call(
                "done", {"conv": conv, "own_tok": before.own_tok, "seen": before.in_seq}
            )
        await his.refresh()
        await his.done()
        await eventually(lambda: all(desk.shows(0, 0, 0) for desk in (ana, bo, alex)))

        # The customer texts again: the same thread, blue for all.
        assert await site.texts("Thanks!") == conv
        await eventually(lambda: all(desk.shows(1, 0, 1) for desk in (ana, bo, alex)))
    kinds = [m["kind"] for m in (await site.get("admin", f"/v1/conversations/{conv}"))["messages"]]
    assert kinds == ["received", "assigned", "transferred", "replied", "transferred", "returned",
                     "assigned", "received", "done", "received"]  # fmt: skip


async def test_two_nodes_are_one_server(engine_url: str, prefix: str) -> None:
    """What happens on one is seen on the other, and one reply is sent once."""
    async with (
        served(engine_url, prefix) as east,
        served(engine_url, prefix) as west,
        at_work(east, "agent1") as ana,
        at_work(west, "agent2") as bo,
    ):
        conv = await west.texts("hello")
        await eventually(lambda: ana.shows(1, 0, 1) and bo.shows(1, 0, 1))
        conversation = await ana.client.conversation(conv)
        await conversation.claim()
        await eventually(lambda: bo.flag(conv) == "grey" and bo.shows(0, 0, 0))
        for number in range(20):
            await conversation.reply(f"reply {number}")
        want = [f"reply {number}" for number in range(20)]
        assert await west.phone_with(len(want)) == want
        delivered = [m.state for m in await conversation.history() if m.kind == "replied"]
        assert len(delivered) == 20
        rows = (await west.get("agent2", "/v1/conversations?inbox=sales&view=others"))["items"]
        assert [row["id"] for row in rows] == [conv]
    assert (rows[0]["our"], rows[0]["customer"]) == (SALES, CUSTOMER)

"""People and bots after the same conversations: one owner each time, and everybody knows who."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from batonbox import AlreadyAssigned, Client, Conversation
from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn
from tests.served import Served

CUSTOMERS = [f"+141655507{number:02}" for number in range(10)]
BOTS = 5


class Bot:
    """Takes what is unassigned, answers, and gives it back; counts what it was told."""

    def __init__(self, client: Client, seed: int) -> None:
        self.client = client
        self.rng = random.Random(seed)
        self.wins: Counter[str] = Counter()
        self.losses: Counter[str] = Counter()

    async def work(self, until_s: float) -> None:
        """Until the loop's clock says so."""
        while asyncio.get_running_loop().time() < until_s:
            async for conversation in self.client.conversations(inbox="sales", view="unassigned"):
                await self.take(conversation)
            await asyncio.sleep(self.rng.random() * 0.1)

    async def take(self, conversation: Conversation) -> None:
        """One attempt."""
        try:
            await conversation.claim()
        except AlreadyAssigned as lost:
            self.losses[lost.by] += 1  # "" would mean that nobody was named
            return
        self.wins[conversation.id] += 1
        await conversation.reply(f"bot {self.client.user.id}")
        await asyncio.sleep(self.rng.random() * 0.05)
        await conversation.release()


class Person:
    """At the page: opens the topmost waiting conversation and presses Assign to Me."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.wins = 0
        self.losses = 0

    async def work(self, until_s: float) -> None:
        """Until the loop's clock says so; then, with the bots at rest, until one was taken."""
        while asyncio.get_running_loop().time() < until_s or not self.wins:
            await self.take()

    async def take(self) -> None:
        """One attempt, then the page says either that it is mine or who has it."""
        rows = self.desk.list.locator("[data-section=unassigned] [data-conv], [data-conv]")
        if not await rows.count():
            await asyncio.sleep(0.05)
            return
        conv = await rows.first.get_attribute("data-conv") or ""
        await self.desk.js(
            """(conv) => {
              const url = new URL(location.href);
              url.searchParams.set("c", conv);
              history.pushState({}, "", url);
              window.dispatchEvent(new PopStateEvent("popstate"));
            }""",
            conv,
        )
        if not await self.desk.press():
            return  # somebody was faster, and the page showed it before the click
        # What is shown at once is a hope; the answer takes the mark away.
        await expect(self.desk.row(conv).and_(self.desk.pending)).to_have_count(0)
        mine = self.desk.panel.get_by_role("textbox", name="Write a message")
        theirs = self.desk.panel.get_by_text("is handling this conversation.")
        waiting = self.desk.panel.get_by_text("Assign this conversation to yourself to reply.")
        await expect(mine.or_(theirs).or_(waiting).first).to_be_visible()
        if not await mine.count():
            self.losses += 1
            return
        self.wins += 1
        await self.desk.act("Return to Inbox")
        await expect(mine).to_have_count(0)


@pytest.mark.parametrize(
    "seconds", [8, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(300)])]
)
async def test_two_people_and_five_bots_race(site: Served, sign_in: SignIn, seconds: int) -> None:
    people = [Person(Desk(await sign_in(user))) for user in ("agent1", "agent2")]
    bots = [Bot(client, seed) for seed, client in enumerate(await bot_clients(site))]
    for customer in CUSTOMERS:
        await site.texts("Hi", customer=customer)
    until_s = asyncio.get_running_loop().time() + seconds
    async with asyncio.TaskGroup() as group:
        for person in people:
            group.create_task(person.work(until_s))
        for bot in bots:
            group.create_task(bot.work(until_s))
        group.create_task(customers(site, until_s))
    assert all(person.wins for person in people), [(p.wins, p.losses) for p in people]
    assert all(sum(bot.wins.values()) for bot in bots)
    assert sum(sum(bot.losses.values()) for bot in bots) > 0
    assert not any("" in bot.losses for bot in bots)
    assert not await collisions(site)
    for user, person in zip(("agent1", "agent2"), people, strict=True):
        await agree(site, user, person.desk)
    for bot in bots:
        await bot.client.aclose()


async def bot_clients(site: Served) -> list[Client]:
    """Bots of their own, members of Sales, connected."""
    clients = []
    for number in range(BOTS):
        user = f"bot{number}"
        body: dict[str, Any] = {"id": user, "name": f"Bot {number}"}
        assert (await site.call("admin", "POST", "/v1/admin/users", body)).is_success
        path = f"/v1/admin/inboxes/sales/members/{user}"
        assert (await site.call("admin", "PUT", path)).is_success
        clients.append(await (await site.sdk(user)).__aenter__())
    return clients


async def customers(site: Served, until_s: float) -> None:
    """They go on texting."""
    rng = random.Random(7)
    while asyncio.get_running_loop().time() < until_s:
        await site.texts("Anybody?", customer=rng.choice(CUSTOMERS))
        await asyncio.sleep(0.05)


async def collisions(site: Served) -> list[Any]:
    """Replies by somebody who did not own the conversation then, by every thread's own story."""
    found = []
    items = (await site.get("admin", "/v1/conversations?inbox=sales&limit=200"))["items"]
    assert len(items) == len(CUSTOMERS)
    for item in items:
        owner, before = "", 0
        messages: list[Any] = []
        while True:
            path = f"/v1/conversations/{item['id']}/messages?limit=200&before={before}"
            page = await site.get("admin", path)
            messages = page["items"] + messages
            if not page["next"]:
                break
            before = page["next"]
        assert [m["n"] for m in messages] == list(range(1, item["n"] + 1))
        for message in messages:
            if message["kind"] == "assigned":
                if owner:
                    found.append((item["id"], message, owner))
                owner = message["actor"]
            elif message["kind"] == "returned":
                owner = ""
            elif message["kind"] == "replied" and message["actor"] != owner:
                found.append((item["id"], message, owner))
    return found


async def agree(site: Served, user: str, desk: Desk) -> None:
    """At rest the page says what the server says: totals, flags and badges of every row."""
    async with await site.sdk(user) as client:

        async def told() -> tuple[int, int]:
            async for badge in client.badges():
                if badge.inbox == "sales":
                    return badge.blue, badge.green
            raise AssertionError("no badge")

        async def at_rest() -> bool:
            # A page that is behind has yet to say what it saw: then the server's figures move too.
            before = await told()
            blue = await desk.list.locator('[data-badge="blue"]').count()
            return before == await desk.totals() == await told() and blue == before[0]

        async with asyncio.timeout(30):
            while not await at_rest():
                await asyncio.sleep(0.1)
        items = (await site.get(user, "/v1/conversations?inbox=sales&limit=200"))["items"]
        await expect(desk.list.locator("[data-conv]")).to_have_count(len(items))
        for item in items:
            kind = {"": None, user: "mine"}.get(item["assignee"] or "", "other")
            flags = desk.row(item["id"]).locator("[data-flag]")
            if kind is None:
                await expect(flags).to_have_count(0)
            else:
                await expect(flags).to_have_attribute("data-flag", kind)

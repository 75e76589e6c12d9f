"""A room is open while the server, or the engine behind it, goes and comes back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from batonbox_server.engine.embedded import EmbeddedEngine
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from tests.browser.desk import expect
from tests.browser.kit import SignIn
from tests.browser.talk import Talk, channel, post
from tests.relay import cuttable
from tests.served import Served, served


async def seated(sign_in: SignIn, site: Served, user: str, room: str, url: str = "") -> Talk:
    """Somebody who has the room open."""
    talk = Talk(await sign_in(user, at=site, url=url))
    await talk.enter()
    await talk.open(room)
    return talk


async def test_an_open_room_moves_to_the_server_that_takes_over(
    site: Served, sign_in: SignIn, engine_url: str
) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    await post(site, "agent2", room, "before")
    async with cuttable(site.port) as link:
        ana = await seated(sign_in, site, "agent1", room, link.url)
        await ana.expect_texts(["before"])
        await ana.composer.fill("begun")
        async with served(engine_url, site.node.settings.key_space) as successor:
            link.target = successor.port
            await site.node.drain(within_s=5.0)
            await post(successor, "agent2", room, "after")
            await ana.expect_texts(["before", "after"])
            await expect(ana.composer).to_have_value("begun")
            await ana.panel.get_by_role("button", name="Send", exact=True).click()
            await ana.expect_texts(["before", "after", "begun"])
            await expect(ana.messages.locator("[data-state]")).to_have_count(0)
            await ana.expect_unread(0)
            await ana.page.goto("about:blank")


async def test_an_open_room_outlives_the_engine(
    prefix: str, sign_in: SignIn, tmp_path: Path
) -> None:
    """It is killed; what is written meanwhile waits, and stands there once."""
    engine = EmbeddedEngine(tmp_path / "engine")
    await engine.start()
    try:
        async with served(engine.url, prefix, as_demo=True) as site:
            room = await channel(site, "dispatch", "agent1", "agent2")
            await post(site, "agent2", room, "before")
            ana = await seated(sign_in, site, "agent1", room)
            await ana.expect_texts(["before"])
            for number in (1, 2):
                os.kill(engine.pid, signal.SIGKILL)
                await ana.send(f"meanwhile {number}")
                texts = ["before", *(f"meanwhile {n}" for n in range(1, number + 1))]
                await ana.expect_texts(texts)
                await expect(ana.messages.locator("[data-state]")).to_have_count(0, timeout=20_000)
            await post(site, "agent2", room, "after")
            await ana.expect_texts([*texts, "after"])
            bo = await seated(sign_in, site, "agent2", room)
            await bo.expect_texts([*texts, "after"])
            await ana.expect_unread(0)
            await ana.page.goto("about:blank")
            await bo.page.goto("about:blank")
            # What was asked over HTTP just then is refused, and asked again.
            sign_in.complaints[:] = [said for said in sign_in.complaints if "503" not in said]
    finally:
        await engine.stop()


@pytest.mark.parametrize("looks", [True, False])
async def test_an_engine_that_lost_posts_is_believed(
    site: Served, sign_in: SignIn, engine_url: str, looks: bool
) -> None:
    """A failover to an engine that does not know the newest: what is shown is what there is."""
    room = await channel(site, "dispatch", "agent1", "agent2")
    await post(site, "agent2", room, "kept")
    ana = await seated(sign_in, site, "agent1", room)
    await ana.expect_texts(["kept"])
    client = EngineClient(engine_url)
    await client.connect()
    try:
        pattern = Keys(site.node.settings.key_space).inbox(room) + "*"
        names = await client.execute("KEYS", pattern)
        backup = {name: await client.execute("DUMP", name) for name in names}
        await ana.send("lost, mine")
        await expect(ana.messages.locator("[data-state]")).to_have_count(0)
        await post(site, "agent2", room, "lost")
        await ana.expect_texts(["kept", "lost, mine", "lost"])
        if not looks:
            await ana.filter("External")
            await ana.page.goto(f"{site.url}/interactions")
        for name in await client.execute("KEYS", pattern):
            await client.execute("DEL", name)
        for name, dumped in backup.items():
            await client.execute("RESTORE", name, 0, dumped)
    finally:
        await client.aclose()
    await post(site, "agent2", room, "new")
    if not looks:
        await ana.expect_unread(1)
        await ana.open(room)
    await ana.expect_texts(["kept", "new"])
    await ana.send("mine")
    await ana.expect_texts(["kept", "new", "mine"])
    await ana.expect_unread(0)

"""The page over a network and servers that fail: nothing missed, nothing doubled, no silence."""

from __future__ import annotations

import asyncio
import random
import re
import time
from contextlib import suppress

from playwright.async_api import TimeoutError as Late

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn, watch_notifications
from tests.relay import cuttable
from tests.served import Served, served

FIVE_TIMES_S = 5.0


async def test_a_push_is_seen_within_a_second(site: Served, sign_in: SignIn) -> None:
    ana = Desk(await sign_in("agent1"))
    await ana.ready()
    started_s = time.perf_counter()
    conv = await site.texts("Hi")
    await expect(ana.badge(conv, "blue")).to_be_visible()
    assert time.perf_counter() - started_s < FIVE_TIMES_S * 1.0


async def test_a_dropped_socket_shows_and_nothing_is_missed_or_doubled(
    site: Served, sign_in: SignIn
) -> None:
    async with cuttable(site.port) as link:
        ana = Desk(await sign_in("agent1", url=link.url))
        conv = await site.texts("message 0")
        await ana.open(conv)
        link.closed = True
        link.cut()
        await expect(ana.connection).to_contain_text("Reconnecting")
        await expect(ana.connection).to_contain_text("You can read, not send.")
        for number in range(1, 6):
            await site.texts(f"message {number}")
        other = await site.texts("meanwhile", customer="+14165550143")
        link.closed = False
        await again(ana)
        await ana.expect_texts([f"message {number}" for number in range(6)])
        await expect(ana.badge(other, "blue")).to_be_visible()
        await expect(ana.connection).not_to_contain_text("Reconnecting")


async def test_twenty_cuts_under_traffic_miss_and_double_nothing(
    site: Served, sign_in: SignIn
) -> None:
    """Both ways: the customer's messages and mine, each once and in order; the draft is kept."""
    rng = random.Random(20)
    async with cuttable(site.port) as link:
        ana = Desk(await sign_in("agent1", url=link.url))
        conv = await site.texts("in 0")
        assert (await site.act("agent1", conv, "assign")).is_success
        await ana.open(conv)
        sent: list[str] = []
        for number in range(1, 21):
            await again(ana)
            await site.texts(f"in {number}")
            if number % 4 == 0:
                await ana.send(f"out {number}")
                sent.append(f"out {number}")
            if number == 20:
                await ana.composer.fill("unfinished")
            await asyncio.sleep(rng.random() * 0.3)
            link.cut()
            await site.texts(f"in {number}, while cut")
        assert link.cuts == 20
        assert await site.phone_with(len(sent)) == sent
        thread = await site.get("agent1", f"/v1/conversations/{conv}/messages?limit=200")
        want = [m["body"]["text"] for m in thread["items"] if m["kind"] in {"received", "replied"}]
        assert sorted(want) == sorted(
            ["in 0", *sent]
            + [f"in {n}{when}" for n in range(1, 21) for when in ("", ", while cut")]
        )
        await ana.expect_texts(want)
        await expect(ana.composer).to_have_value("unfinished")


async def again(desk: Desk) -> None:
    """Press Now, unless the page is back by itself before anybody could; until it is live."""
    with suppress(Late):
        await desk.connection.get_by_role("button", name="Now").click(timeout=300)
    await expect(desk.connection).to_have_text("", timeout=20_000)


async def test_another_server_takes_over_without_a_word(
    site: Served, sign_in: SignIn, engine_url: str
) -> None:
    """A rolling restart: the old node drains, the page moves to the new one and resumes."""
    async with cuttable(site.port) as link:
        ana = Desk(await sign_in("agent1", url=link.url))
        conv = await site.texts("before")
        await ana.open(conv)
        async with served(engine_url, site.node.settings.key_space) as successor:
            link.target = successor.port
            await site.node.drain(within_s=5.0)
            await successor.texts("after")
            await ana.expect_texts(["before", "after"])
            await ana.assign()
            await expect(ana.composer).to_be_visible()
            await ana.page.goto("about:blank")


async def test_a_trimmed_log_ends_in_the_same_screen(
    engine_url: str, prefix: str, sign_in: SignIn
) -> None:
    """Away for longer than the log reaches: RESET and a snapshot, not a gap."""
    async with (
        served(engine_url, f"{prefix}t", as_demo=True, log_events=10, ring_events=16) as site,
        cuttable(site.port) as link,
    ):
        ana = Desk(await sign_in("agent1", at=site, url=link.url))
        conv = await site.texts("first")
        await ana.open(conv)
        link.closed = True
        link.cut()
        for number in range(300):
            await site.texts(f"later {number}", customer=f"+1416555{1000 + number % 7}")
        await site.texts("second")
        link.closed = False
        await ana.page.evaluate("() => window.dispatchEvent(new Event('online'))")
        await ana.expect_texts(["first", "second"])
        await expect(ana.list.locator("[data-conv]")).to_have_count(8)
        await ana.expect_totals(7, 0)
        await ana.page.goto("about:blank")


async def test_offline_switches_acting_off_and_says_why(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi")
    ana = Desk(await sign_in("agent1", network_fails=True))
    await ana.open(conv)
    await ana.page.context.set_offline(True)
    await expect(ana.connection).to_contain_text("You are offline. You can read, not send.")
    await ana.page.keyboard.press("a")
    await ana.toast("You are offline. Nothing was changed.")
    await expect(ana.composer).to_have_count(0)
    await ana.page.context.set_offline(False)
    await expect(ana.connection).not_to_contain_text("offline")
    await ana.assign()
    await ana.status("Assigned to you")


async def test_a_page_that_was_frozen_catches_up(site: Served, sign_in: SignIn) -> None:
    """As a laptop that slept: the socket is gone and no event said so."""
    async with cuttable(site.port) as link:
        ana = Desk(await sign_in("agent1", url=link.url))
        conv = await site.texts("before")
        await ana.open(conv)
        devtools = await ana.page.context.new_cdp_session(ana.page)
        await devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
        link.cut()
        await site.texts("while asleep")
        await devtools.send("Page.setWebLifecycleState", {"state": "active"})
        await ana.expect_texts(["before", "while asleep"])


async def test_two_tabs_notify_once(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("agent1")
    await watch_notifications(page)
    first = Desk(page)
    await first.ready()
    other = await page.context.new_page()
    await other.goto(page.url)
    await watch_notifications(other)
    second = Desk(other)
    await second.ready()
    conv = await site.texts("Hi")
    await expect(first.badge(conv, "blue")).to_be_visible()
    await expect(second.badge(conv, "blue")).to_be_visible()
    await page.wait_for_function("() => window.notifications.length > 0")
    counts = [await p.evaluate("() => window.notifications.length") for p in (page, other)]
    assert sum(counts) == 1


async def test_signing_out_ends_every_tab(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("agent1")
    other = await page.context.new_page()
    await other.goto(page.url)
    await Desk(other).ready()
    await page.goto(re.sub("/inboxes.*", "/settings", page.url))
    main = page.get_by_role("main")
    await expect(main).to_contain_text("This browser")  # the list of sessions is there
    await main.get_by_role("button", name="Sign out", exact=True).click()
    for each in (page, other):
        await expect(each.get_by_role("heading", name="Sign in")).to_be_visible()

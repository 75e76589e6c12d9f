"""Many conversations, many events, a whole day: the page stays small, quick and still."""

from __future__ import annotations

import asyncio

import pytest

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn
from tests.served import SALES, Served

BURST = 200
# Requests at once; the client's pool looks at all of its connections for each of them.
AT_ONCE = 16
# Until nothing moves for two frames.
STILL = """async (log) => {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  for (let before = -1; before !== log.scrollTop; await frame()) {
    before = log.scrollTop;
    await frame();
  }
}"""
# The text of the first message that is wholly in view.
TOPMOST = """(log) => {
  const top = log.getBoundingClientRect().top;
  const seen = [...log.querySelectorAll(".bubble-text")];
  return seen.find((text) => text.getBoundingClientRect().top >= top).textContent;
}"""
FIVE_TIMES = 5


async def fill(site: Served, count: int) -> None:
    """Customers who each wrote once, through the script that receives messages."""
    gate = asyncio.Semaphore(500)

    async def one(number: int) -> None:
        async with gate:
            await site.node.store.receive(
                inbox="sales",
                our=SALES,
                customer=f"+1647{number:07}",
                provider_id=f"fill-{number}",
                body=b"\x82\xa4text\xa2hi\xa5media\x90",
                preview="hi",
            )

    for start in range(0, count, 2000):
        await asyncio.gather(*(one(n) for n in range(start, min(start + 2000, count))))


async def burst(site: Served, text: str, *, customer: str) -> None:
    """Two hundred customers text; the last four digits of their numbers follow `customer`."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await site.texts(text, customer=f"{customer}{number:04}")

    await asyncio.gather(*(one(number) for number in range(BURST)))


@pytest.mark.parametrize("many", [10_000, pytest.param(100_000, marks=pytest.mark.long)])
async def test_many_conversations_paint_at_once(site: Served, sign_in: SignIn, many: int) -> None:
    await fill(site, many)
    ana = Desk(await sign_in("agent1"))
    await ana.ready()
    started = await ana.js("() => performance.now()")
    await ana.page.reload()
    await expect(ana.list.locator("[data-conv]").first).to_be_visible()
    painted_ms = await ana.js("() => performance.now()")
    assert painted_ms < 1000 * FIVE_TIMES, (started, painted_ms)
    await expect(ana.section("Unassigned")).to_contain_text(f"{many:,}")
    assert await ana.list.locator("[data-conv]").count() < 60
    top = (await ana.order())[0]
    for screens in (20, 200, 400):  # beyond what was loaded: pages follow
        await ana.list.locator(".list-scroll").evaluate(
            "(list, screens) => { list.scrollTop = screens * list.clientHeight; }", screens
        )
        await expect(ana.row(top)).to_have_count(0)
        await expect(ana.list.locator("[data-conv]").first).to_be_visible()
        assert await ana.list.locator("[data-conv]").count() < 60


@pytest.mark.parametrize("times", [300, pytest.param(2000, marks=pytest.mark.long)])
async def test_switches_keep_the_heap(site: Served, sign_in: SignIn, times: int) -> None:
    convs = [await site.texts("Hi", customer=f"+1416555{3000 + n}") for n in range(40)]
    ana = Desk(await sign_in("agent1"))
    await ana.open(convs[-1])
    devtools = await ana.page.context.new_cdp_session(ana.page)
    await devtools.send("HeapProfiler.enable")

    async def switch(times: int) -> None:
        await ana.page.evaluate(
            """async ([convs, times]) => {
              for (let i = 0; i < times; i += 1) {
                const conv = convs[i % convs.length];
                const url = new URL(location.href);
                url.searchParams.set("c", conv);
                history.pushState({}, "", url);
                window.dispatchEvent(new PopStateEvent("popstate"));
                await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
              }
            }""",
            [convs, times],
        )

    async def heap_bytes() -> int:
        for _ in range(3):
            await devtools.send("HeapProfiler.collectGarbage")
        usage = await devtools.send("Runtime.getHeapUsage")
        return int(usage["usedSize"])

    await switch(200)
    before = await heap_bytes()
    await switch(times)
    grown = await heap_bytes() - before
    assert grown < 1_000_000, grown  # half of it comes once, by what is compiled


async def test_two_hundred_events_a_second_block_nothing(site: Served, sign_in: SignIn) -> None:
    ana = Desk(await sign_in("agent1"))
    await ana.ready()
    await ana.js(
        """() => {
          window.longest = 0;
          new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) {
              window.longest = Math.max(window.longest, entry.duration);
            }
          }).observe({type: "longtask"});
        }"""
    )
    for _ in range(5):
        tick = asyncio.get_running_loop().time()
        await burst(site, f"at {tick}", customer="+1905557")
        await asyncio.sleep(max(0.0, tick + 1 - asyncio.get_running_loop().time()))
    await ana.expect_totals(200, 0)
    longest_ms = await ana.js("() => window.longest")
    assert longest_ms < 200 * FIVE_TIMES, longest_ms


async def test_the_focused_row_stays_where_it_is(site: Served, sign_in: SignIn) -> None:
    convs = [await site.texts("Hi", customer=f"+1416555{5000 + n}") for n in range(40)]
    ana = Desk(await sign_in("agent1"))
    await ana.row(convs[30]).focus()
    await ana.row(convs[30]).hover()
    place = await ana.row(convs[30]).bounding_box()
    newest = [await site.texts("new", customer=f"+1416555{6000 + n}") for n in range(5)]
    await ana.expect_totals(45, 0)
    await expect(ana.section("Unassigned")).to_contain_text("45")
    after = await ana.row(convs[30]).bounding_box()
    assert place is not None and after is not None
    assert abs(place["y"] - after["y"]) < 2
    assert newest


async def test_the_thread_does_not_jump(site: Served, sign_in: SignIn) -> None:
    """Older pages and new messages come and go around what is being read."""
    conv = ""
    for number in range(120):
        conv = await site.texts(f"line {number}")
    ana = Desk(await sign_in("agent1"))
    await ana.open(conv)
    await expect(ana.messages.get_by_text("line 119", exact=True)).to_be_visible()
    await ana.messages.hover()
    await ana.page.mouse.wheel(0, -1500)
    await expect(ana.messages.get_by_text("line 119", exact=True)).not_to_be_in_viewport()
    await ana.messages.evaluate(STILL)
    anchor = ana.messages.get_by_text(await ana.messages.evaluate(TOPMOST), exact=True)
    place = await anchor.bounding_box()
    await site.texts("line 120")
    await expect(ana.panel.get_by_role("button", name="1 new message")).to_be_visible()
    after = await anchor.bounding_box()
    assert place is not None and after is not None
    assert abs(place["y"] - after["y"]) < 2
    await ana.panel.get_by_role("button", name="1 new message").click()
    await expect(ana.messages.get_by_text("line 120", exact=True)).to_be_in_viewport()
    for _ in range(40):
        await ana.page.mouse.wheel(0, -4000)
        if await ana.messages.get_by_text("line 0", exact=True).count():
            break
        await asyncio.sleep(0.05)
    texts = await ana.texts()
    assert texts == [f"line {number}" for number in range(121)]

"""The page's own figures: what its browser checks only bound, measured."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright

from batonbox_server.engine import EmbeddedEngine
from tests.browser.desk import Desk
from tests.browser.test_scale import BURST, burst, fill
from tests.served import Served, served

from .figures import Figures

__all__ = ["page_figures"]

MANY = 100_000
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_BURSTS = 5
_FIRST_ROW = "() => document.querySelector('[data-conv]') ? performance.now() : false"
_WATCH_TASKS = """() => {
  window.longest = 0;
  new PerformanceObserver((list) => {
    for (const {duration} of list.getEntries()) window.longest = Math.max(window.longest, duration);
  }).observe({type: "longtask"});
}"""


async def page_figures(figures: Figures, *, quick: bool) -> None:
    """`page.chromium.<what>.ms`: push, longest task at 200 events/s, reload to the first rows.

    `longest-task.rate` says how many there were, where the machine could not make as many.

    Server and browser share the machine; nothing is measured where there is no Chromium.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("page: skipped, no Chromium on PATH")
        return
    rounds = 1 if quick else 5
    async with _opened(chromium) as (site, page):
        desk = Desk(page)
        await desk.ready()
        pushes = [await _push_ms(site, desk, number) for number in range(10 * rounds)]
        figures.add("page.chromium.push.ms", "ms", pushes)
        longest_ms, per_s = await _longest_ms(site, desk)
        figures.add("page.chromium.longest-task.ms", "ms", [longest_ms])
        figures.add("page.chromium.longest-task.rate", "/s", [per_s])
        await fill(site, MANY)
        paints = [await _paint_ms(page) for _ in range(2 * rounds + 1)]
        figures.add(f"page.chromium.reload-of-{MANY}.ms", "ms", paints)
        rows = await page.locator("[data-conv]").count()
        figures.add(f"page.chromium.reload-of-{MANY}.rows", "", [rows])


@asynccontextmanager
async def _opened(chromium: str) -> AsyncIterator[tuple[Served, Page]]:
    with tempfile.TemporaryDirectory(prefix="batonbox-bench-") as folder:
        engine = EmbeddedEngine(Path(folder) / "engine")
        await engine.start()
        try:
            async with (
                served(engine.url, "bench", as_demo=True) as site,
                async_playwright() as play,
            ):
                browser = await play.chromium.launch(executable_path=chromium, args=_FLAGS)
                page = await browser.new_page(viewport={"width": 1280, "height": 800})
                code = await site.node.sign_in.make_link("agent1")
                await page.goto(f"{site.url}/sign-in#code={code}")
                await page.wait_for_url("**/inboxes/**")
                yield site, page
                await browser.close()
        finally:
            await engine.stop()


async def _push_ms(site: Served, desk: Desk, number: int) -> float:
    started_s = time.perf_counter()
    conv = await site.texts("Hi", customer=f"+1905556{number:04}")
    await desk.badge(conv, "blue").wait_for()
    return 1000 * (time.perf_counter() - started_s)


async def _longest_ms(site: Served, desk: Desk) -> tuple[float, float]:
    """And how many events a second there were."""
    await desk.js(_WATCH_TASKS)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for turn in range(_BURSTS):
        due_s = loop.time() + 1
        await burst(site, f"again {turn}", customer="+1905557")
        await asyncio.sleep(max(0.0, due_s - loop.time()))
    per_s = _BURSTS * BURST / (loop.time() - began_s)
    return float(await desk.js("() => window.longest")), per_s


async def _paint_ms(page: Page) -> float:
    await page.reload(wait_until="commit")
    found = await page.wait_for_function(_FIRST_ROW)
    return float(await found.json_value())

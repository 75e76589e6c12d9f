"""By keyboard alone, by ear, at 320 px, in the dark: the same work can be done."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn, assert_accessible
from tests.served import Served


async def test_the_whole_flow_by_keyboard(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi")
    page = await sign_in("agent1")
    ana = Desk(page)
    await expect(ana.badge(conv, "blue")).to_be_visible()
    await page.keyboard.press("j")
    await expect(ana.messages).to_be_visible()
    await page.keyboard.press("a")
    await expect(ana.composer).to_be_visible()
    await page.keyboard.press("r")
    await expect(ana.composer).to_be_focused()
    await page.keyboard.type("typed without a mouse")
    await page.keyboard.press("Control+Enter")
    await ana.expect_texts(["Hi", "typed without a mouse"])
    await page.keyboard.press("Escape")
    await page.keyboard.press("t")
    dialog = page.get_by_role("dialog", name="Transfer")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await page.keyboard.press("u")
    await ana.status("Unassigned")
    await page.keyboard.press("a")
    await ana.status("Assigned to you")
    await page.keyboard.press("e")
    await ana.status("Done")


async def test_single_keys_do_nothing_in_a_text_and_can_be_switched_off(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Hi")
    page = await sign_in("agent1")
    ana = Desk(page)
    await ana.open(conv)
    await ana.assign()
    await ana.composer.fill("")
    await ana.composer.press_sequentially("jkatuer/?")
    await expect(ana.composer).to_have_value("jkatuer/?")
    await ana.status("Assigned to you")
    await ana.nav.get_by_role("link", name="Settings").click()
    await page.get_by_role("checkbox", name="Keyboard shortcuts").uncheck()
    await page.go_back()
    await ana.status("Assigned to you")
    await page.keyboard.press("u")
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog", name="Command palette")).to_be_visible()
    await page.keyboard.press("Escape")
    await ana.status("Assigned to you")


async def test_dialogs_keep_the_focus_and_give_it_back(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi")
    page = await sign_in("agent1")
    ana = Desk(page)
    await ana.open(conv)
    await ana.assign()
    await ana.status("Assigned to you")
    await ana.act("Transfer")
    dialog = page.get_by_role("dialog", name="Transfer")
    await expect(dialog).to_be_visible()
    for _ in range(12):
        await page.keyboard.press("Tab")
        assert await page.evaluate(
            """() => document.activeElement === document.body
                 || document.querySelector("dialog[open]").contains(document.activeElement)"""
        )
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(ana.panel.get_by_role("button", name="More actions")).to_be_focused()


async def nothing(_: Page) -> None:
    """The page as it is."""


async def conversation(page: Page) -> None:
    """A conversation of mine, opened by the test."""
    await expect(Desk(page).messages).to_be_visible()


async def menu(page: Page) -> None:
    """The 3-dot menu, open."""
    await Desk(page).panel.get_by_role("button", name="More actions").click()


async def transfer(page: Page) -> None:
    """The dialog for a hand-over."""
    await Desk(page).act("Transfer")


async def new(page: Page) -> None:
    """The dialog for a new conversation."""
    await Desk(page).list.get_by_role("button", name="New").click()


async def palette(page: Page) -> None:
    """The command palette."""
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog", name="Command palette")).to_be_visible()


async def shortcuts(page: Page) -> None:
    """The list of keys."""
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


VIEWS: list[tuple[str, str, Callable[[Page], Awaitable[None]]]] = [
    ("inboxes", "/inboxes/all", nothing),
    ("done", "/inboxes/all?filter=done", nothing),
    ("conversation", "/inboxes/all", conversation),
    ("menu", "/inboxes/all", menu),
    ("transfer", "/inboxes/all", transfer),
    ("new", "/inboxes/all", new),
    ("palette", "/inboxes/all", palette),
    ("shortcuts", "/inboxes/all", shortcuts),
    ("phone", "/phone", nothing),
    ("settings", "/settings", nothing),
    ("interactions", "/interactions", nothing),
    ("admin", "/admin", nothing),
    ("carriers", "/admin/carriers", nothing),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("path", "prepare"), [v[1:] for v in VIEWS], ids=[v[0] for v in VIEWS])
async def test_no_view_has_a_barrier(
    site: Served,
    sign_in: SignIn,
    path: str,
    prepare: Callable[[Page], Awaitable[None]],
    scheme: str,
) -> None:
    """axe finds nothing, light and dark, dialogs open."""
    conv = await site.texts("Hi, is my order ready?")
    await site.texts("Second customer", customer="+14165550143")
    assert (await site.act("admin", conv, "assign")).is_success
    other = await site.texts("Third", customer="+14165550144")
    assert (await site.act("agent3", other, "assign")).is_success
    page = await sign_in("admin")
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.goto(page.url.split("/inboxes")[0] + path)
    await expect(page.get_by_role("main").get_by_role("heading", level=1)).to_be_attached()
    if path.startswith("/inboxes"):
        await expect(Desk(page).list.locator("[data-conv]").first).to_be_visible() if (
            "done" not in path
        ) else None
        if prepare in {menu, transfer, conversation}:
            await Desk(page).row(conv).click()
    await prepare(page)
    await assert_accessible(page)


async def test_sign_in_has_no_barrier(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("agent1")
    await page.context.clear_cookies()
    await page.goto(page.url)
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await assert_accessible(page)


@pytest.mark.parametrize(("width", "text"), [(320, 100), (640, 200), (1280, 200)])
async def test_narrow_and_large_text_scroll_in_one_direction(
    site: Served, sign_in: SignIn, width: int, text: int
) -> None:
    conv = await site.texts("A message long enough to wrap on the narrowest screens. " * 4)
    await site.texts("x" * 300, customer="+14165550143")
    assert (await site.act("agent1", conv, "assign")).is_success
    page = await sign_in("agent1")
    ana = Desk(page)
    await page.set_viewport_size({"width": width, "height": 700})
    await page.evaluate("(size) => { document.documentElement.style.fontSize = size }", f"{text}%")

    async def fits() -> bool:
        return bool(
            await page.evaluate(
                "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            )
        )

    await expect(ana.row(conv)).to_be_visible()
    assert await fits()
    await ana.open(conv)
    assert await fits()
    await ana.composer.fill("Yes, it is.")
    await expect(ana.panel.get_by_role("button", name="Send", exact=True)).to_be_in_viewport()
    await ana.act("Transfer")
    assert await fits()


@pytest.mark.parametrize(("width", "text"), [(320, 100), (1280, 200)])
async def test_where_one_can_go_is_said_in_whole_words(
    site: Served, sign_in: SignIn, width: int, text: int
) -> None:
    page = await sign_in("admin")
    ana = Desk(page)
    await page.set_viewport_size({"width": width, "height": 700})
    await page.evaluate("(size) => { document.documentElement.style.fontSize = size }", f"{text}%")
    for name in ("Inboxes", "Interactions", "Contacts", "Admin"):
        await ana.nav.get_by_role("link", name=re.compile(f"^{name}")).click()
        cut = await ana.nav.locator(".nav-label:visible").evaluate_all(
            "(all) => all.filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent)"
        )
        assert cut == []


async def test_the_edge_of_the_list_is_moved_by_keys(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("agent1")
    await Desk(page).ready()
    await page.keyboard.press("Shift")
    edge = page.get_by_role("separator", name="Width of the list")
    before = int(await edge.get_attribute("aria-valuenow") or 0)
    await edge.press("ArrowRight")
    await expect(edge).to_have_attribute("aria-valuenow", str(before + 1))


async def test_what_is_new_and_open_can_be_read_in_forced_colours(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Hi")
    page = await sign_in("agent1")
    await page.emulate_media(forced_colors="active")
    ana = Desk(page)
    await ana.open(conv)
    colours = await ana.row(conv).evaluate(
        """(row) => {
          row.classList.add("row-selected", "row-unread"); // it is read soon
          const parts = [row, ...row.querySelectorAll(".row-customer, .row-time, .row-preview")];
          return parts.map((part) => getComputedStyle(part).color);
        }"""
    )
    assert len(colours) == 4
    assert len(set(colours)) == 1


async def test_reduced_motion_and_forced_colours_are_obeyed(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi")
    page = await sign_in("agent1")
    await page.emulate_media(reduced_motion="reduce", forced_colors="active")
    ana = Desk(page)
    await expect(ana.badge(conv, "blue")).to_be_visible()
    longest = await page.evaluate(
        """() => Math.max(...[...document.querySelectorAll("*")].map((e) => {
          const style = getComputedStyle(e);
          const times = `${style.transitionDuration},${style.animationDuration}`.split(",");
          const ms = (time) => parseFloat(time) * (time.trim().endsWith("ms") ? 1 : 1000);
          return Math.max(...times.map(ms));
        }))"""
    )
    assert longest <= 1
    outline = await ana.badge(conv, "blue").evaluate(
        "(e) => { const s = getComputedStyle(e); return s.borderStyle + s.outlineStyle; }"
    )
    assert outline.replace("none", "")  # a background alone vanishes in forced colours


async def test_toasts_are_announced(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi")
    ana = Desk(await sign_in("agent1"))
    live = ana.toasts.locator("[aria-live=polite], [role=status]")
    await expect(live.first).to_be_attached()  # before anything is said in it
    await ana.open(conv)
    await ana.assign()
    await ana.status("Assigned to you")
    await ana.act("Mark as Done")
    await expect(live.first).to_contain_text("Marked as done.")

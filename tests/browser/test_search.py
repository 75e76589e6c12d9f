"""Search: one box over everything, by keyboard alone, and what it leads to."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence

import pytest
from playwright.async_api import Error, Locator, Page, Route

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn, assert_accessible
from tests.served import Served


async def test_an_address_leads_to_a_message_far_back_and_the_newest_is_a_press_away(
    site: Served, sign_in: SignIn
) -> None:
    for n in range(1, 161):
        conv = await site.texts(f"text {n}")
    page = await sign_in("agent1")
    ana = Desk(page)
    await page.goto(f"{site.url}/inboxes/all?filter=open&c={conv}&n=40")
    found = ana.messages.locator('[data-n="40"]')
    await expect(found).to_be_focused()
    await expect(found).to_be_in_viewport()
    await expect(found).to_contain_text("text 40")
    await expect(ana.messages.locator('[data-n="160"]')).to_have_count(0)  # nor what is between
    await site.texts("one more")
    await page.keyboard.press("PageDown")
    await expect(found).to_have_count(1)
    await ana.panel.get_by_role("button", name="Newest").click()
    await expect(ana.messages.locator('[data-n="161"]')).to_be_in_viewport()
    await page.wait_for_url(re.compile(r"c=[^&]*$"))
    await page.goto(f"{site.url}/inboxes/all?filter=open&c={conv}&n=150")  # loaded anyway
    await expect(ana.messages.locator('[data-n="150"]')).to_be_focused()
    await expect(ana.messages.locator('[data-n="150"]')).to_have_class(re.compile("line-found"))
    await site.texts("and another")
    await expect(ana.messages.locator('[data-n="162"]')).to_have_count(1)


async def test_what_is_in_sight_anyway_moves_nothing(site: Served, sign_in: SignIn) -> None:
    """Nor the page: its head would be out of sight, and nothing scrolls it back."""
    conv = await site.texts("hello")
    page = await sign_in("agent1")
    ana = Desk(page)
    await page.goto(f"{site.url}/inboxes/all?filter=open&c={conv}&n=1")
    await expect(ana.messages.locator('[data-n="1"]')).to_be_focused()
    top = "() => document.scrollingElement.scrollHeight - innerHeight"
    assert await page.evaluate(top) == 0
    await expect(ana.panel.locator("header")).to_be_in_viewport(ratio=1)
    await expect(ana.panel.get_by_role("button", name="Newest")).to_have_count(0)


def box(page: Page) -> Locator:
    """The field at the top of Interactions."""
    return page.get_by_role("combobox", name="Search", exact=True)


def found(page: Page, group: str = "") -> Locator:
    """What was found, or one group of it."""
    place: Locator = page.get_by_role("listbox")
    if group:
        place = place.get_by_role("group", name=group)
    return place.get_by_role("option")


async def palette(page: Page) -> None:
    """Open it, with the focus in its field."""
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("combobox", name="Command or search")).to_be_focused()


async def indexed(
    site: Served, user: str, words: str, *, of: Sequence[str] = ("messages",)
) -> None:
    """Until the search finds some of each: the index follows the logs, one after the other."""
    for _ in range(500):
        answer = await site.get(user, f"/v1/search?q={words}")
        if all(answer[kind] for kind in of):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{words} is never found")


async def test_everything_by_keyboard(site: Served, sign_in: SignIn) -> None:
    """From a page without a pointer to an old message, and back to where one was."""
    for n in range(1, 91):
        conv = await site.texts("the zebra is here" if n == 20 else f"text {n}")
    body = {"name": "Zebra Crossing Ltd", "numbers": ["+14165550199"], "note": ""}
    assert (await site.call("admin", "POST", "/v1/contacts", body)).status_code == 201
    await indexed(site, "agent1", "zebra", of=("messages", "contacts"))
    page = await sign_in("agent1")
    await page.goto(f"{site.url}/interactions")
    interactions = page.get_by_role("region", name="Interactions")
    row = interactions.locator(f'[data-conv="{conv}"]')
    await expect(row).to_be_visible()
    await row.focus()
    await page.keyboard.press("/")
    await expect(box(page)).to_be_focused()
    await page.keyboard.type("Zébra")
    await expect(found(page, "Messages")).to_have_count(1)
    await expect(found(page, "Contacts")).to_have_count(1)
    await expect(found(page, "Messages").locator("strong")).to_have_text("zebra")
    await expect(page.get_by_role("status").filter(has_text="found:")).to_contain_text("2 found")
    first = found(page).first
    await expect(first).to_have_attribute("aria-selected", "true")
    assert await box(page).get_attribute("aria-activedescendant") == await first.get_attribute("id")
    await page.keyboard.press("ArrowDown")
    await expect(found(page, "Contacts")).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    line = page.get_by_role("log", name="Messages").locator('[data-n="20"]')
    await expect(line).to_be_focused()
    await expect(line).to_contain_text("the zebra is here")
    await expect(line).to_be_in_viewport()
    await expect(found(page)).to_have_count(0)
    await row.focus()
    await page.keyboard.press("/")
    await page.keyboard.type("x")
    await page.keyboard.press("Escape")
    await expect(row).to_be_focused()
    await expect(box(page)).to_have_value("")


async def test_the_palette_finds_messages_people_and_numbers_however_written(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Do you sell <b>unicorns</b>?")
    await indexed(site, "agent1", "unicorns")
    page = await sign_in("agent1")
    ana = Desk(page)
    await ana.ready()
    await palette(page)
    await page.keyboard.type("unicorns")
    await expect(found(page, "Messages")).to_contain_text("<b>unicorns</b>")
    await page.keyboard.press("Enter")
    await expect(ana.messages.locator('[data-n="1"]')).to_be_focused()
    await palette(page)
    await page.keyboard.type("(416) 555-0142")
    await expect(found(page, "Conversations")).to_have_count(1)
    await page.keyboard.press("Escape")
    await palette(page)
    await page.keyboard.type("dee")
    await expect(found(page, "People").locator("strong")).to_have_text("Dee")
    await found(page, "People").click()
    await page.wait_for_url("**/interactions**")
    await expect(ana.panel.get_by_role("heading", name=re.compile("Dee"))).to_be_visible()
    await page.keyboard.press("Escape")
    await palette(page)
    await page.keyboard.type("nothing has these words")
    await expect(page.get_by_text("Nothing found.")).to_be_visible()
    assert conv


async def test_what_is_outdated_is_neither_asked_for_nor_shown(
    site: Served, sign_in: SignIn
) -> None:
    await site.texts("alpha one")
    await site.texts("beta two", customer="+14165550143")
    await indexed(site, "agent1", "beta")
    page = await sign_in("agent1")
    asked: list[str] = []
    answer = await site.get("agent1", "/v1/search?q=alpha")
    held, late = asyncio.Event(), asyncio.Event()

    async def slow(route: Route) -> None:
        asked.append(route.request.url.rsplit("q=", 1)[1])
        if "alpha" not in asked[-1]:
            return await route.continue_()
        await held.wait()
        with contextlib.suppress(Error):
            await route.fulfill(json=answer)
        late.set()
        return None

    await page.route("**/v1/search?*", slow)
    await page.goto(f"{site.url}/interactions")
    await box(page).press_sequentially("alpha", delay=10)
    while not asked:
        await asyncio.sleep(0.01)
    await box(page).fill("beta")
    await expect(found(page, "Messages")).to_have_count(1)
    held.set()
    await late.wait()
    frames = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    await page.evaluate(frames)
    await expect(found(page, "Messages")).to_contain_text("beta two")
    assert asked == ["alpha", "beta"]


async def test_enter_opens_what_was_typed_last(site: Served, sign_in: SignIn) -> None:
    """Pressed before the answer it waits for it, and takes nothing of the words before."""
    await site.texts("alpha one")
    await site.texts("beta two", customer="+14165550143")
    await indexed(site, "agent1", "beta")
    page = await sign_in("agent1")
    await page.goto(f"{site.url}/interactions")
    await box(page).fill("alpha")
    await expect(found(page, "Messages")).to_have_count(1)
    await box(page).fill("beta")
    await page.keyboard.press("Enter")
    log = page.get_by_role("log", name="Messages")
    await expect(log).to_contain_text("beta two")
    await palette(page)
    await page.keyboard.insert_text("alpha")
    await page.keyboard.press("Enter")
    await expect(log).to_contain_text("alpha one")


async def test_older_messages_are_a_press_away(site: Served, sign_in: SignIn) -> None:
    for n in range(1, 31):
        await site.texts(f"pigeon {n}")
    await indexed(site, "agent1", "%22pigeon%2030%22")
    page = await sign_in("agent1")
    await page.goto(f"{site.url}/interactions")
    await box(page).fill("pigeon")
    await expect(found(page, "Messages")).to_have_count(11)
    await found(page, "Messages").last.click()
    await expect(found(page, "Messages")).to_have_count(30)
    await expect(box(page)).to_be_focused()


async def test_it_is_said_while_the_index_is_built(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("agent1")

    async def building(route: Route) -> None:
        answer = await route.fetch()
        body = await answer.json()
        body["index"] = {"complete": False, "behind": 9, "done": 42, "total": 100}
        await route.fulfill(response=answer, json=body)

    await page.route("**/v1/search?*", building)
    await page.goto(f"{site.url}/interactions")
    await box(page).fill("whatever")
    await expect(page.get_by_text("The index is being built: 42 %.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_search(site: Served, sign_in: SignIn, scheme: str) -> None:
    await site.texts("a quokka, and some more words so that it is long enough to be cut " * 2)
    await indexed(site, "agent1", "quokka")
    page = await sign_in("agent1")
    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await page.goto(f"{site.url}/interactions")
    await box(page).fill("quokka")
    await expect(found(page, "Messages")).to_have_count(1)
    await assert_accessible(page)
    await box(page).fill("quokka nowhere")
    await expect(page.get_by_text("Nothing found.")).to_be_visible()
    await assert_accessible(page)
    await box(page).press("Escape")
    await palette(page)
    await page.keyboard.type("quokka")
    await expect(found(page, "Messages")).to_have_count(1)
    await assert_accessible(page)
    await page.keyboard.press("Escape")
    await page.set_viewport_size({"width": 320, "height": 640})
    await box(page).fill("quokka")
    await expect(found(page, "Messages")).to_be_in_viewport()
    await page.wait_for_function("() => document.documentElement.scrollWidth === 320")
    await assert_accessible(page)


async def test_a_post_is_found_by_who_is_in_its_room_and_opens_there(
    site: Served, sign_in: SignIn
) -> None:
    body = {"name": "Board", "private": True, "members": ["agent1"]}
    made = await site.call("admin", "POST", "/v1/rooms", body)
    room = made.json()["conv"]
    for n in range(1, 91):
        text = {"text": "the quetzal has landed" if n == 5 else f"post {n}"}
        assert (await site.call("admin", "POST", f"/v1/rooms/{room}/post", text)).is_success
    await indexed(site, "agent1", "quetzal")
    page, other = await sign_in("agent1"), await sign_in("agent2")
    for tab in (page, other):
        await Desk(tab).ready()
        await palette(tab)
        await tab.keyboard.type("quetzal")
    await expect(other.get_by_text("Nothing found.")).to_be_visible()
    await expect(found(page, "Messages")).to_contain_text("# Board")
    await page.keyboard.press("Enter")
    line = page.get_by_role("log").locator(".line-found")
    await expect(line).to_be_focused()
    await expect(line).to_contain_text("the quetzal has landed")


async def test_what_is_typed_before_the_palette_is_there_is_in_it(
    site: Served, sign_in: SignIn
) -> None:
    await site.texts("the boiler leaks")
    await indexed(site, "agent1", "boiler")
    page = await sign_in("agent1")
    await Desk(page).ready()
    asked, comes = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        asked.set()
        await comes.wait()
        await route.continue_()

    await page.route("**/assets/dialogs*.js", late)
    await page.keyboard.press("Control+k")
    await asyncio.wait_for(asked.wait(), 10)
    await page.keyboard.type("boiler l")
    comes.set()
    field = page.get_by_role("combobox", name="Command or search")
    await expect(field).to_have_value("boiler l")
    await expect(field).to_be_focused()
    await page.keyboard.type("eaks")
    await expect(page.get_by_role("option", name=re.compile("the boiler leaks"))).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    await expect(field).to_have_value("")


# A key in the very step that draws the palette's field, before the field has the focus.
PRESS_BEFORE_FOCUS = """() => new MutationObserver((_, observer) => {
  const field = document.querySelector(".palette-input");
  if (!field) return;
  observer.disconnect();
  const on = document.activeElement === field ? "the field" : "the page";
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "x", bubbles: true }));
  window.pressed = on;
}).observe(document.body, { childList: true, subtree: true })"""


async def test_so_is_what_is_typed_before_its_field_has_the_focus(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("agent1")
    await Desk(page).ready()
    await page.evaluate(PRESS_BEFORE_FOCUS)
    await page.keyboard.press("Control+k")
    await page.wait_for_function("() => window.pressed")
    assert await page.evaluate("() => window.pressed") == "the page"
    await expect(page.get_by_role("combobox", name="Command or search")).to_have_value("x")

"""Internal notes: a mode that cannot be mistaken for a reply, and colleagues called by name."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import Locator, WebSocketRoute

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn, assert_accessible, watch_notifications
from tests.served import SUPPORT, Served


def field(desk: Desk) -> Locator:
    """Where a note is written."""
    return desk.panel.get_by_role("textbox", name="Write an internal note")


def mode(desk: Desk, name: str) -> Locator:
    """The button of a mode."""
    group = desk.panel.get_by_role("group", name="What to write")
    return group.get_by_role("button", name=name, exact=True)


def offered(desk: Desk) -> Locator:
    """The colleagues that are offered."""
    return desk.panel.get_by_role("listbox", name="Colleagues").get_by_role("option")


async def mine(site: Served, desk: Desk, text: str = "Hi") -> str:
    """A conversation that the person at the desk has open, and owns."""
    conv = await site.texts(text)
    await desk.open(conv)
    await desk.assign()
    await expect(desk.composer).to_be_focused()  # or an Escape would come before it is
    return conv


async def test_a_draft_of_one_mode_never_leaves_by_the_other(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("agent1")
    ana = Desk(page)
    await mine(site, ana)
    await ana.composer.fill("for the customer")
    await mode(ana, "Note").click()
    await expect(field(ana)).to_be_focused()
    await expect(field(ana)).to_have_value("")
    await expect(ana.panel).to_contain_text("Internal note: the customer does not see this")
    await expect(ana.panel.get_by_role("button", name="Send", exact=True)).to_have_count(0)
    await page.keyboard.type("for us")
    await mode(ana, "Reply").click()
    await expect(ana.composer).to_have_value("for the customer")
    await mode(ana, "Note").click()
    await expect(field(ana)).to_have_value("for us")
    await expect(field(ana)).to_be_focused()
    await page.keyboard.press("Control+Enter")
    await expect(ana.messages.locator("[data-kind=noted]")).to_have_text(re.compile("for us"))
    await mode(ana, "Reply").click()
    await expect(ana.composer).to_have_value("for the customer")
    await expect(ana.composer).to_be_focused()
    await page.keyboard.press("Control+Enter")
    assert await site.phone_with(1) == ["for the customer"]
    colour = "(bubble) => getComputedStyle(bubble).backgroundColor"
    looks = [
        await ana.messages.locator(f"[data-kind={kind}] .bubble").evaluate(colour)
        for kind in ("noted", "replied")
    ]
    assert looks[0] != looks[1]


async def test_another_conversation_begins_with_a_reply_and_a_note_begun_is_kept(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("agent1")
    ana = Desk(page)
    first = await mine(site, ana)
    second = await site.texts("Me too", customer="+14165550143")
    await page.keyboard.press("Escape")
    await page.keyboard.press("n")
    await expect(field(ana)).to_be_focused()
    await page.keyboard.type("begun")
    await ana.open(second)
    await ana.assign()
    await expect(ana.composer).to_be_visible()
    await ana.open(first)
    await expect(ana.composer).to_have_value("")
    await page.reload()
    await expect(ana.composer).to_be_visible()
    await mode(ana, "Note").click()
    await expect(field(ana)).to_have_value("begun")


PRESS_AT_ONCE = """(keys) => {
  for (const key of keys)
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
}"""


async def test_letters_typed_before_the_note_field_is_there_are_no_commands(
    site: Served, sign_in: SignIn
) -> None:
    """A busy page hands them over in one go: "r" would begin a reply, "e" mark it as done."""
    page = await sign_in("agent1")
    ana = Desk(page)
    await mine(site, ana)
    await page.keyboard.press("Escape")
    await page.evaluate(PRESS_AT_ONCE, ["n", "r", "e", "u"])
    await expect(field(ana)).to_be_focused()
    await page.keyboard.type("to us")
    await expect(field(ana)).to_have_value("to us")
    await ana.status("Assigned to you")


async def test_what_is_typed_at_once_stands_in_the_note(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("agent1")
    ana = Desk(page)
    await mine(site, ana)
    await page.keyboard.press("Escape")
    await page.keyboard.type("nread @")
    await expect(field(ana)).to_have_value("read @")
    await expect(offered(ana)).not_to_have_count(0)
    banner = ana.panel.get_by_text("Internal note: the customer does not see this")
    lists = await ana.panel.get_by_role("listbox", name="Colleagues").bounding_box()
    words = await banner.bounding_box()
    assert lists and words and lists["y"] + lists["height"] <= words["y"]


async def test_letters_for_a_field_that_has_gone_are_no_commands(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("agent1")
    ana = Desk(page)
    conv = await mine(site, ana)
    await ana.composer.focus()
    await page.keyboard.type("x")
    assert (await site.act("agent1", conv, "return")).is_success
    while await ana.composer.count():
        await page.keyboard.press("x")
    await page.keyboard.type("easEA", delay=20)
    await ana.status("Unassigned")
    await page.keyboard.press("Escape")
    await page.keyboard.press("a")
    await ana.status("Assigned to you")


async def test_a_file_dropped_on_a_note_goes_nowhere(site: Served, sign_in: SignIn) -> None:
    """Not to the customer, and not into the page's place."""
    page = await sign_in("agent1")
    ana = Desk(page)
    await mine(site, ana)
    await mode(ana, "Note").click()
    taken = await field(ana).evaluate(
        """(field) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(["secret"], "secret.txt", { type: "text/plain" }));
          const init = { dataTransfer, bubbles: true, cancelable: true };
          return ["dragover", "drop"].map(
            (name) => !field.dispatchEvent(new DragEvent(name, init)),
          );
        }"""
    )
    assert taken == [True, True]
    await mode(ana, "Reply").click()
    await expect(ana.panel.get_by_text("secret.txt")).to_have_count(0)


async def test_a_note_that_was_refused_is_kept_before_what_was_written_since(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("agent1")
    ana = Desk(page)
    held: list[tuple[WebSocketRoute, int]] = []

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def said(message: str | bytes) -> None:
            frame = json.loads(message) if message[:3] in {"[1,", b"[1,"} else [0]
            if frame[0] == 1 and frame[2] == "note":
                held.append((socket, frame[1]))
            else:
                server.send(message)

        socket.on_message(said)

    await page.route_web_socket("**/v1/ws", between)
    await page.reload()
    await mine(site, ana)
    await mode(ana, "Note").click()
    await field(ana).fill("first")
    await page.keyboard.press("Control+Enter")
    await page.keyboard.type("second")
    await expect(field(ana)).to_have_value("second")
    socket, number = held[0]
    socket.send(json.dumps([18, number, 126, "target_not_member", "Bo may not see this inbox."]))
    await expect(field(ana)).to_have_value("first\nsecond")
    await expect(ana.messages.locator("[data-kind=noted]")).to_have_count(0)


async def test_who_does_not_own_it_writes_a_note_and_no_reply(
    site: Served, sign_in: SignIn
) -> None:
    """With nobody's, with a colleague's, and with what is done."""
    page = await sign_in("agent2")
    bo = Desk(page)
    conv = await site.texts("Hi")
    await bo.open(conv)
    await expect(bo.panel).to_contain_text("Assign this conversation to yourself to reply.")
    for count, step in enumerate(("", "assign", "done"), 1):
        if step:
            assert (await site.act("agent1", conv, step)).is_success
            await bo.status({"assign": "Assigned to Ana", "done": "Done"}[step])
        await mode(bo, "Note").click()
        await field(bo).fill(f"note {count}")
        await bo.panel.get_by_role("button", name="Add note").click()
        await expect(bo.messages.locator("[data-kind=noted]")).to_have_count(count)
        await mode(bo, "Reply").click()
        await expect(bo.panel.get_by_role("textbox")).to_have_count(0)
    note = bo.messages.locator(".group", has_text="note 1")
    await expect(note).to_contain_text("Internal note")
    await expect(note).to_contain_text("You")
    assert await site.phone() == []


async def test_a_colleague_is_called_by_keyboard_and_told(site: Served, sign_in: SignIn) -> None:
    page, other = await sign_in("agent1"), await sign_in("agent2")
    await watch_notifications(other)
    ana, bo = Desk(page), Desk(other)
    await mine(site, ana)
    await bo.ready()
    await page.keyboard.press("Escape")
    await page.keyboard.press("n")
    await expect(field(ana)).to_be_focused()
    await page.keyboard.type("Look, @")
    await expect(offered(ana)).not_to_have_count(0)
    await expect(ana.panel.get_by_role("status")).to_contain_text("Arrow keys choose")
    await page.keyboard.type("bo")
    await expect(offered(ana)).to_have_count(1)
    option = offered(ana).first
    await expect(option).to_have_attribute("aria-selected", "true")
    assert await field(ana).get_attribute("aria-activedescendant") == await option.get_attribute(
        "id"
    )
    await page.keyboard.press("Enter")
    await expect(offered(ana)).to_have_count(0)
    await expect(field(ana)).to_have_value("Look, @Bo ")
    await page.keyboard.type("please")
    await page.keyboard.press("Control+Enter")
    line = ana.messages.locator("[data-kind=noted]")
    await expect(line.locator("strong")).to_have_text("@Bo")
    await bo.toast("Ana mentioned you in a note about +1 416 555 0142.")
    said = await bo.js("() => window.notifications.map((one) => one.body)")
    assert any("Ana mentioned you" in body for body in said), said
    await bo.toasts.get_by_role("button", name="Open").click()
    told = bo.messages.locator("[data-kind=noted]")
    await expect(told).to_be_focused()
    await expect(told.locator("strong")).to_have_text("@Bo (you)")
    await other.reload()
    await expect(told.locator("strong")).to_have_text("@Bo (you)")


async def test_only_who_may_see_the_inbox_is_offered_and_a_list_sent_away_stays_away(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("agent2")
    bo = Desk(page)
    await bo.open(await site.texts("Hi", to=SUPPORT))
    await mode(bo, "Note").click()
    await expect(field(bo)).to_be_focused()
    await page.keyboard.type("@")
    await expect(offered(bo)).not_to_have_count(0)
    names = [name.split("\n")[0] for name in await offered(bo).all_inner_texts()]
    assert {"Bo", "Dee"} < set(names), names
    assert "Ana" not in names  # of Sales alone
    await page.keyboard.press("Escape")
    await expect(offered(bo)).to_have_count(0)
    await expect(field(bo)).to_be_focused()
    await page.keyboard.type("de")
    await expect(offered(bo)).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(bo.messages).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_notes_can_be_read_by_everybody(site: Served, sign_in: SignIn, scheme: str) -> None:
    page = await sign_in("agent1")
    ana = Desk(page)
    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await mine(site, ana)
    await mode(ana, "Note").click()
    await field(ana).fill("Ask @ana and @Bo")
    await page.keyboard.press("Control+Enter")
    await expect(ana.messages.locator("strong")).to_have_count(2)
    await page.keyboard.insert_text("a" * 1601)
    await assert_accessible(page)
    await field(ana).fill("@")
    await page.keyboard.press("End")
    await expect(offered(ana)).not_to_have_count(0)
    await assert_accessible(page)
    await page.set_viewport_size({"width": 320, "height": 640})
    await expect(ana.panel.get_by_role("button", name="Add note")).to_be_visible()
    await page.wait_for_function("() => document.documentElement.scrollWidth === 320")
    await assert_accessible(page)

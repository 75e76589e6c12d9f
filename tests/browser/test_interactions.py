"""Interactions: what is in the list, in which order, and what may be done where it is opened."""

from __future__ import annotations

import re

from batonbox_server.store.directory_port import Inbox
from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn, assert_accessible
from tests.browser.talk import Talk, channel, direct, post
from tests.served import SUPPORT, Served


async def test_four_filters_in_the_address_newest_first(site: Served, sign_in: SignIn) -> None:
    sales = await site.texts("Hi", customer="+14165550201")
    room = await channel(site, "dispatch", "agent2", "agent3")
    await post(site, "agent2", room, "who is on?")
    support = await site.texts("Help", to=SUPPORT, customer="+14165550202")
    bo_and_dee = await direct(site, "agent2", "agent3")
    await post(site, "agent3", bo_and_dee, "lunch?")
    await site.act("agent2", sales, "done")
    bo = Talk(await sign_in("agent2"))
    await bo.enter()
    await expect(bo.row(sales)).to_contain_text("External")
    rooms = [one for one in await bo.order() if one.startswith("~")]
    [general] = [one for one in rooms if one not in (room, bo_and_dee)]
    assert await bo.order() == [sales, bo_and_dee, support, room, general]
    for name, want in (
        ("External", [sales, support]),
        ("Direct", [bo_and_dee]),
        ("Channels", [room, general]),
        ("All", [sales, bo_and_dee, support, room, general]),
    ):
        await bo.filter(name)
        await expect(bo.page).to_have_url(re.compile(f"filter={name.lower()}"))
        await expect(bo.list.locator("a[data-conv]")).to_have_count(len(want))
        assert await bo.order() == want
    await bo.filter("Direct")
    await bo.page.reload()
    await expect(bo.row(bo_and_dee)).to_be_visible()
    await expect(bo.row(support)).to_have_count(0)
    await bo.filter("All")
    await post(site, "agent3", room, "me")
    await expect(bo.row(room)).to_contain_text("Dee: me")
    assert (await bo.order())[0] == room
    await site.texts("more", to=SUPPORT, customer="+14165550202")
    await expect(bo.row(support)).to_contain_text("more")
    assert (await bo.order())[:2] == [support, room]
    new = await site.texts("new", customer="+14165550203")
    await expect(bo.row(new)).to_be_visible()
    assert (await bo.order())[0] == new


async def test_a_customers_conversation_is_read_whole_and_answered_where_it_is_mine(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Is it ready?")
    await site.act("agent1", conv, "assign")
    await site.act("agent1", conv, "reply", text="Nearly.")
    await site.act("agent1", conv, "transfer", to="agent2", note="It is in your shop.")
    bo, dee = Talk(await sign_in("agent2")), Talk(await sign_in("agent3"))
    for talk in (bo, dee):
        await talk.enter()
        await talk.open(conv)
        await talk.expect_texts(["Is it ready?", "Nearly."])
    await expect(dee.messages).to_contain_text(re.compile(r"Nobody had this until .* then Ana"))
    await expect(dee.messages).to_contain_text(re.compile(r"Ana had this until .* then Bo"))
    await expect(dee.messages.locator(".divider + .system")).to_have_text(
        ["Ana transferred this to Bo: It is in your shop."]
    )
    await expect(dee.panel.get_by_role("textbox")).to_have_count(0)
    await expect(dee.panel).to_contain_text("Assigned to Bo")
    await bo.panel.get_by_role("textbox", name="Write a message").fill("It is.")
    await bo.panel.get_by_role("button", name="Send", exact=True).click()
    await dee.expect_texts(["Is it ready?", "Nearly.", "It is."])
    for key in "atue":
        await dee.page.keyboard.press(key)
    await expect(dee.panel).to_contain_text("Assigned to Bo")
    await dee.panel.get_by_role("link", name="Open in Inboxes").click()
    await expect(dee.page).to_have_url(re.compile(r"/inboxes/sales\?filter=open&c="))
    desk = Desk(dee.page)
    await desk.expect_texts(["Is it ready?", "Nearly.", "It is."])
    await site.act("agent2", conv, "transfer", to="agent3")
    await dee.page.go_back()
    await expect(dee.panel.get_by_role("textbox", name="Write a message")).to_be_visible()
    there = bo.panel.get_by_role("link", name="Open in Inboxes")
    await expect(there).to_be_visible()
    await expect(bo.panel.get_by_role("textbox")).to_have_count(0)
    await site.act("agent3", conv, "done")
    await expect(there).to_have_attribute("href", re.compile(r"/inboxes/sales\?filter=done&c="))


async def test_an_admin_sees_conversations_of_inboxes_they_did_not_join(
    site: Served, sign_in: SignIn
) -> None:
    inbox = Inbox("returns", "Returns", ("agent1",), ("+14165550109",))
    await site.node.administration.create_inbox(inbox)
    conv = await site.texts("Where to?", to="+14165550109")
    alex, bo = Talk(await sign_in("admin")), Talk(await sign_in("agent2"))
    for talk in (alex, bo):
        await talk.enter()
    await expect(alex.row(conv)).to_contain_text("External")
    await expect(bo.list.get_by_role("link").first).to_be_visible()
    await expect(bo.row(conv)).to_have_count(0)


async def test_a_number_is_written_to_from_the_one_box(site: Served, sign_in: SignIn) -> None:
    ana = Talk(await sign_in("agent1"))
    await ana.enter()
    await ana.list.get_by_role("button", name="New", exact=True).click()
    box = ana.page.get_by_role("dialog", name="New message").get_by_role("combobox", name="To")
    await box.fill("+1 416 555 0177")
    await box.press("Enter")
    compose = ana.page.get_by_role("dialog", name="New conversation")
    await expect(compose.get_by_label("To", exact=True)).to_have_value("+14165550177")
    await expect(compose.get_by_label("Message")).to_be_focused()
    await ana.page.keyboard.type("Your parcel is here.")
    await ana.page.keyboard.press("Control+Enter")
    assert await site.phone_with(1, "+14165550177") == ["Your parcel is here."]


async def test_a_saved_contact_is_found_in_the_one_box(site: Served, sign_in: SignIn) -> None:
    contact = {"name": "Lee & Sons", "numbers": ["+14165550188"]}
    assert (await site.call("agent2", "POST", "/v1/contacts", contact)).is_success
    ana = Talk(await sign_in("agent1"))
    await ana.enter()
    await ana.list.get_by_role("button", name="New", exact=True).click()
    dialog = ana.page.get_by_role("dialog", name="New message")
    await dialog.get_by_role("combobox", name="To").fill("lee")
    await dialog.get_by_role("option", name=re.compile("Lee & Sons")).click()
    compose = ana.page.get_by_role("dialog", name="New conversation")
    await expect(compose.get_by_label("To", exact=True)).to_have_value("+14165550188")


async def test_enter_never_chooses_a_contact_of_the_words_before(
    site: Served, sign_in: SignIn
) -> None:
    """A text for one customer would go to another."""
    for name, number in (("Lee & Sons", "+14165550188"), ("Zoe", "+14165550199")):
        contact = {"name": name, "numbers": [number]}
        assert (await site.call("agent2", "POST", "/v1/contacts", contact)).is_success
    ana = Talk(await sign_in("agent1"))
    await ana.enter()
    await ana.list.get_by_role("button", name="New", exact=True).click()
    dialog = ana.page.get_by_role("dialog", name="New message")
    box = dialog.get_by_role("combobox", name="To")
    await box.fill("lee")
    await expect(dialog.get_by_role("option", name=re.compile("Lee & Sons"))).to_be_visible()
    await box.fill("zoe")
    await box.press("Enter")
    compose = ana.page.get_by_role("dialog", name="New conversation")
    await expect(compose.get_by_label("To", exact=True)).to_have_value("+14165550199")


async def test_the_whole_of_it_by_keyboard(site: Served, sign_in: SignIn) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    await post(site, "agent2", room, "anybody?")
    conv = await site.texts("Hi")
    page = await sign_in("agent1")
    ana = Talk(page)
    await ana.nav.get_by_role("link", name=re.compile("^Interactions")).focus()
    await page.keyboard.press("Enter")
    await expect(ana.row(conv)).to_be_visible()
    await page.keyboard.press("j")
    await expect(ana.row(conv)).to_be_focused()
    await page.keyboard.press("j")
    await expect(ana.row(room)).to_have_attribute("aria-current", "true")
    await ana.expect_texts(["anybody?"])
    await page.keyboard.press("r")
    await expect(ana.composer).to_be_focused()
    await page.keyboard.type("me, jk")
    await page.keyboard.press("Control+Enter")
    await ana.expect_texts(["anybody?", "me, jk"])
    await expect(ana.row(room)).to_contain_text("You: me, jk")
    await expect(ana.list.locator("a[data-conv]").first).to_have_attribute("data-conv", room)
    await page.keyboard.press("Escape")
    await page.keyboard.press("j")
    await expect(ana.row(conv)).to_have_attribute("aria-current", "true")
    await page.keyboard.press("k")
    await expect(ana.row(room)).to_have_attribute("aria-current", "true")
    members = ana.panel.get_by_role("button", name=re.compile("^Members"))
    await members.focus()
    await page.keyboard.press("Enter")
    await expect(ana.members.get_by_role("button", name="Close members")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(ana.members).to_have_count(0)
    await expect(members).to_be_focused()


# Presses j in the very moment in which the room has come to the top of the list.
PRESS_AT_ONCE = """(room) => {
  const list = document.querySelector('section[aria-label="Interactions"] .rows');
  const first = () => list.querySelector('a[data-conv]').dataset.conv;
  new MutationObserver((_, observer) => {
    if (first() !== room) return;
    observer.disconnect();
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true }));
  }).observe(list, { childList: true, subtree: true, attributes: true });
}"""


async def test_a_key_steps_through_the_order_that_is_seen(site: Served, sign_in: SignIn) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    await post(site, "agent2", room, "anybody?")
    conv = await site.texts("Hi")
    page = await sign_in("agent1")
    ana = Talk(page)
    await ana.nav.get_by_role("link", name=re.compile("^Interactions")).click()
    await expect(ana.list.locator("a[data-conv]").first).to_have_attribute("data-conv", conv)
    await ana.row(room).click()
    await ana.expect_texts(["anybody?"])
    await page.mouse.move(0, 0)
    await page.evaluate(PRESS_AT_ONCE, room)
    await post(site, "agent2", room, "hello?")
    await expect(ana.row(conv)).to_have_attribute("aria-current", "true")


async def test_nothing_is_wrong_with_any_of_it(site: Served, sign_in: SignIn) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    await post(site, "agent2", room, "@Ana look", mentions=["agent1"])
    mine = await post(site, "admin", room, "edited soon")
    body = {"n": mine, "text": "now edited"}
    assert (await site.call("admin", "POST", f"/v1/rooms/{room}/edit", body)).is_success
    gone = await post(site, "admin", room, "gone soon")
    assert (await site.call("admin", "POST", f"/v1/rooms/{room}/delete", {"n": gone})).is_success
    conv = await site.texts("Hi")
    await site.act("agent1", conv, "assign")
    page = await sign_in("admin")
    alex = Talk(page)
    await alex.enter()
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme=theme)
        await alex.open(conv)
        await assert_accessible(page)
        await alex.open(room)
        await alex.panel.get_by_role("button", name=re.compile("^Members")).click()
        await expect(alex.members.get_by_role("listitem")).to_have_count(3)
        await assert_accessible(page)
        await alex.members.get_by_role("button", name="Close members").click()
        for button, dialog in (("New", "New message"), ("Channels", "Channels")):
            await alex.list.get_by_role("button", name=button, exact=True).first.click()
            shown = page.get_by_role("dialog", name=dialog)
            content = shown.get_by_role("option").or_(shown.get_by_role("listitem"))
            await expect(content.first).to_be_visible()
            await assert_accessible(page)
            await page.keyboard.press("Escape")
        await alex.list.get_by_title("Find a channel").click()
        await page.get_by_role("button", name="New channel").click()
        await expect(page.get_by_role("checkbox", name="Bo")).to_be_visible()
        await assert_accessible(page)
        await page.keyboard.press("Escape")


async def test_it_fits_small_screens_and_large_text(site: Served, sign_in: SignIn) -> None:
    room = await channel(site, "dispatch-with-a-rather-long-name", "agent1", "agent2")
    await post(site, "agent2", room, "w" * 200)
    conv = await site.texts("Hi")
    page = await sign_in("agent1")
    ana = Talk(page)
    overflow = "() => document.scrollingElement.scrollWidth - innerWidth"
    for width, text in ((320, "100%"), (1280, "200%")):
        await page.set_viewport_size({"width": width, "height": 640})
        await page.evaluate("(size) => { document.documentElement.style.fontSize = size }", text)
        await ana.enter()
        for opened in (conv, room):
            await ana.open(opened)
            assert await page.evaluate(overflow) <= 0
            await ana.back()
        await ana.open(room)
        await ana.panel.get_by_role("button", name=re.compile("^Members")).click()
        await expect(ana.members).to_be_visible()
        assert await page.evaluate(overflow) <= 0
        await ana.members.get_by_role("button", name="Close members").click()
        await ana.back()


async def test_a_long_list_is_loaded_as_far_as_it_is_scrolled(
    site: Served, sign_in: SignIn
) -> None:
    room = await channel(site, "older than all", "agent1")
    await post(site, "agent1", room, "first of all")
    convs = [await site.texts(f"text {n}", customer=f"+141655{n:05}") for n in range(10000, 10130)]
    newer = await channel(site, "newer than all", "agent1")
    page = await sign_in("agent1")
    ana = Talk(page)
    await ana.enter()
    await expect(ana.row(newer)).to_be_visible()
    await expect(ana.row(convs[-1])).to_be_visible()
    await expect(ana.row(room)).to_have_count(0)
    assert await ana.list.locator("[data-conv]").count() < 60
    await page.wait_for_function(
        """(room) => {
          const list = document.querySelector(".list-scroll");
          list.scrollTop = list.scrollHeight;
          return list.querySelector(`[data-conv="${room}"]`) !== null;
        }""",
        arg=room,
    )
    await expect(ana.row(room)).to_be_visible()
    assert (await ana.order())[-3:-1] == [convs[0], room]

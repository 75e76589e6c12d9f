"""Direct messages and channels, as the people in them see them."""

from __future__ import annotations

import re

from playwright.async_api import Locator, Route

from tests.browser.desk import expect
from tests.browser.kit import SignIn, assert_accessible, watch_notifications
from tests.browser.talk import Talk, channel, direct, post
from tests.browser.test_media import attach, expect_drawn, picture
from tests.relay import cuttable
from tests.served import Served

# Back to the list in the very step in which the room is drawn, before anything is painted.
LEAVES_AT_ONCE = """
new MutationObserver((_, observer) => {
  if (!document.querySelector(".room")) return;
  observer.disconnect();
  document.querySelector("nav a[href^='/interactions']").click();
  window.left = true;
}).observe(document, { childList: true, subtree: true });
"""


async def test_a_direct_message_is_begun_by_name_and_arrives(site: Served, sign_in: SignIn) -> None:
    ana, bo = Talk(await sign_in("agent1")), Talk(await sign_in("agent2"))
    await ana.enter()
    await ana.list.get_by_role("button", name="New", exact=True).click()
    dialog = ana.page.get_by_role("dialog", name="New message")
    await dialog.get_by_role("combobox", name="To").fill("bo")
    await ana.page.keyboard.press("Enter")
    await expect(dialog).to_be_hidden()
    await expect(ana.panel.get_by_role("heading", name="Bo")).to_be_visible()
    await ana.send("Lunch?")
    await ana.expect_texts(["Lunch?"])
    await bo.expect_unread(1)
    await bo.enter()
    room = await direct(site, "agent2", "agent1")
    await expect(bo.row(room)).to_contain_text("1 unread")
    await expect(bo.row(room)).to_contain_text("Direct")
    await expect(bo.row(room)).to_contain_text("online")
    await bo.open(room)
    await bo.expect_texts(["Lunch?"])
    await expect(bo.messages.get_by_text("New", exact=True)).to_be_visible()
    await bo.expect_unread(0)
    await bo.composer.press_sequentially("Yes")
    await expect(ana.panel).to_contain_text("Bo is typing")
    await bo.page.keyboard.press("Control+Enter")
    await ana.expect_texts(["Lunch?", "Yes"])
    await ana.expect_unread(0)


async def test_what_was_not_seen_is_counted_marked_and_read_by_looking(
    site: Served, sign_in: SignIn
) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    for number in range(3):
        await post(site, "agent2", room, f"seen {number}")
    ana = Talk(await sign_in("agent1"))
    await ana.enter()
    await ana.open(room)
    await ana.expect_unread(0)
    await ana.page.reload()
    await ana.enter()
    await post(site, "agent2", room, "one more", mentions=["agent1"])
    await post(site, "agent2", room, "and more")
    await ana.expect_unread(1, ", 1 name you")
    await expect(ana.row(room)).to_contain_text("2 unread, 1 mentions you")
    await ana.open(room)
    await ana.expect_texts(["seen 0", "seen 1", "seen 2", "one more", "and more"])
    await expect(ana.new).to_have_text("one more")
    for _ in range(3):  # also where the look before has not been answered yet
        await ana.expect_unread(0)
        await ana.act("Mark unread")
        await expect(ana.row(room)).to_contain_text("1 unread")
        await ana.open(room)


async def test_a_room_that_was_left_before_it_was_painted_counts_as_left(
    site: Served, sign_in: SignIn
) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    await post(site, "agent2", room, "seen")
    ana = Talk(await sign_in("agent1"))
    await ana.enter()
    await ana.open(room)
    await ana.expect_unread(0)
    await ana.page.add_init_script(LEAVES_AT_ONCE)
    await ana.page.reload()
    await ana.page.wait_for_function("() => window.left")
    await expect(ana.messages).to_have_count(0)
    await post(site, "agent2", room, "one more")
    await ana.expect_unread(1)
    await ana.open(room)
    await ana.expect_texts(["seen", "one more"])
    await expect(ana.new).to_have_text("one more")


async def test_posts_are_changed_and_deleted_by_keyboard(site: Served, sign_in: SignIn) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    ana, bo = Talk(await sign_in("agent1")), Talk(await sign_in("agent2"))
    for talk in (ana, bo):
        await talk.enter()
        await talk.open(room)
    await ana.send("Call me bakc")
    await bo.expect_texts(["Call me bakc"])
    await expect(bo.messages.get_by_role("button", name=re.compile("^Actions for"))).to_have_count(
        0
    )
    await ana.composer.press("ArrowUp")
    editor = ana.messages.get_by_role("textbox", name="Edit message")
    await expect(editor).to_be_focused()
    await editor.fill("Call me back")
    await editor.press("Enter")
    await bo.expect_texts(["Call me back"])
    await expect(bo.messages.get_by_text("edited", exact=True)).to_be_visible()
    await expect(ana.composer).to_be_focused()
    actions = ana.messages.get_by_role("button", name=re.compile("^Actions for"))
    await actions.focus()
    await ana.page.keyboard.press("Enter")
    await expect(ana.page.get_by_role("menuitem", name="Edit")).to_be_focused()
    await ana.page.keyboard.press("ArrowDown")
    await ana.page.keyboard.press("Enter")
    dialog = ana.page.get_by_role("dialog", name="Delete message")
    await dialog.get_by_role("button", name="Delete").press("Enter")
    await expect(dialog).to_be_hidden()
    for talk in (ana, bo):
        await expect(talk.messages.get_by_text("This message was deleted")).to_be_visible()
        await talk.expect_texts([])


async def test_what_stood_in_a_post_is_read_by_admins_alone(site: Served, sign_in: SignIn) -> None:
    room = await channel(site, "dispatch", "agent1")
    n = await post(site, "agent1", room, "Call me bakc")
    edit = {"n": n, "text": "Call me back"}
    assert (await site.call("agent1", "POST", f"/v1/rooms/{room}/edit", edit)).is_success
    alex, ana = Talk(await sign_in("admin")), Talk(await sign_in("agent1"))
    for talk in (alex, ana):
        await talk.enter()
        await talk.open(room)
        await talk.expect_texts(["Call me back"])

    async def versions() -> Locator:
        await alex.messages.get_by_role("button", name=re.compile("^Actions for")).focus()
        await alex.page.keyboard.press("Enter")
        await alex.page.get_by_role("menuitem", name="Earlier versions…").press("Enter")
        dialog = alex.page.get_by_role("dialog", name="Earlier versions")
        await expect(dialog.get_by_role("listitem").first).to_be_visible()
        return dialog

    dialog = await versions()
    await expect(dialog.get_by_role("listitem")).to_have_text(
        [re.compile("bakc.*until Ana changed")]
    )
    await assert_accessible(alex.page)
    await alex.page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await ana.messages.get_by_role("button", name=re.compile("^Actions for")).click()
    await expect(ana.page.get_by_role("menuitem")).to_have_text(["Edit", "Delete…"])
    await ana.page.get_by_role("menuitem", name="Delete…").click()
    confirm = ana.page.get_by_role("dialog", name="Delete message")
    await confirm.get_by_role("button", name="Delete").click()
    await expect(alex.messages.get_by_text("This message was deleted")).to_be_visible()
    await expect(alex.row(room)).to_contain_text("Ana: Message deleted")
    dialog = await versions()
    await expect(dialog.get_by_role("listitem")).to_have_text(
        [re.compile("bakc.*until Ana changed"), re.compile("back.*until Ana deleted")]
    )
    await expect(alex.page.get_by_role("menuitem")).to_have_count(0)
    await expect(ana.messages.get_by_role("button", name=re.compile("^Actions for"))).to_have_count(
        0
    )


async def test_a_post_outlives_a_broken_connection_and_appears_once(
    site: Served, sign_in: SignIn
) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    async with cuttable(site.port) as link:
        ana = Talk(await sign_in("agent1", url=link.url))
        bo = Talk(await sign_in("agent2"))
        for talk in (ana, bo):
            await talk.enter()
            await talk.open(room)
        await ana.send("before")
        await bo.expect_texts(["before"])
        link.hold()  # the post arrives, its answer and its event do not
        await ana.send("in the gap")
        await bo.expect_texts(["before", "in the gap"])
        await expect(ana.messages.locator("[data-state=sending]")).to_be_visible()
        link.cut()
        link.release()
        await expect(ana.messages.locator("[data-state]")).to_have_count(0)
        await ana.expect_texts(["before", "in the gap"])
        await bo.send("after")
        await ana.expect_texts(["before", "in the gap", "after"])
        await bo.expect_texts(["before", "in the gap", "after"])


async def test_a_channel_is_found_joined_and_left(site: Served, sign_in: SignIn) -> None:
    public = await channel(site, "dispatch")
    await channel(site, "board", private=True)
    ana = Talk(await sign_in("agent1"))
    await ana.enter()
    await ana.list.get_by_title("Find a channel").click()
    dialog = ana.page.get_by_role("dialog", name="Channels")
    await expect(dialog.get_by_role("listitem").filter(has_text="dispatch")).to_be_visible()
    await expect(dialog.get_by_text("board")).to_have_count(0)
    await expect(dialog.get_by_role("button", name="New channel")).to_have_count(0)
    await dialog.get_by_role("button", name="Join dispatch").click()
    await expect(ana.panel.get_by_role("heading", name="dispatch")).to_be_visible()
    await expect(ana.messages).to_contain_text("You joined")
    await ana.send("Here I am")
    await ana.expect_texts(["Here I am"])
    await ana.panel.get_by_role("button", name="More actions").click()
    await expect(ana.page.get_by_role("menuitem")).to_have_text(["Mark unread", "Leave channel…"])
    await ana.page.keyboard.press("Escape")
    await ana.act("Leave channel…")
    await ana.page.get_by_role("dialog").get_by_role("button", name="Leave").click()
    await expect(ana.panel).to_contain_text("This room is not here")
    await expect(ana.row(public)).to_have_count(0)


async def test_who_is_in_it_is_asked_again_when_the_server_could_not_say(
    site: Served, sign_in: SignIn
) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    ana = Talk(await sign_in("agent1"))
    asked = 0

    async def answer(route: Route) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            await route.continue_()
        else:
            problem = {"code": "unavailable", "detail": "The engine is not reachable."}
            await route.fulfill(status=503, json=problem)

    await ana.page.route(f"**/v1/rooms/{room}", answer)
    await ana.enter()
    await ana.open(room)
    await ana.panel.get_by_role("button", name=re.compile("^Members")).click()
    await expect(ana.members.get_by_role("listitem")).to_have_count(3)
    assert asked > 1
    sign_in.complaints[:] = [said for said in sign_in.complaints if "503" not in said]


async def test_an_admin_runs_a_channel(site: Served, sign_in: SignIn) -> None:
    alex, ana = Talk(await sign_in("admin")), Talk(await sign_in("agent1"))
    for talk in (alex, ana):
        await talk.enter()
    await alex.list.get_by_title("Find a channel").click()
    await alex.page.get_by_role("button", name="New channel").click()
    dialog = alex.page.get_by_role("dialog", name="New channel")
    await dialog.get_by_role("textbox", name="Name").fill("night shift")
    await dialog.get_by_role("checkbox", name=re.compile("^Private")).check()
    await dialog.get_by_role("checkbox", name="Bo").check()
    await dialog.get_by_role("button", name="Create").click()
    await expect(alex.panel.get_by_role("heading", name="night shift")).to_be_visible()
    await alex.panel.get_by_role("button", name=re.compile("^Members")).click()
    await expect(alex.members.get_by_role("listitem")).to_have_count(2)
    await alex.members.get_by_label("Add somebody").select_option(label="Ana")
    await alex.members.get_by_role("button", name="Add", exact=True).click()
    await expect(alex.members.get_by_role("listitem")).to_have_count(3)
    await expect(ana.toasts).to_contain_text("Alex Admin added you to night shift")
    row = ana.list.get_by_role("link").filter(has_text="night shift")
    await row.click()
    await expect(ana.composer).to_be_visible()
    await alex.act("Rename channel…")
    rename = alex.page.get_by_role("dialog", name="Rename channel")
    await rename.get_by_role("textbox", name="Name").fill("late shift")
    await rename.get_by_role("button", name="Rename").click()
    await expect(ana.panel.get_by_role("heading", name="late shift")).to_be_visible()
    await expect(ana.messages).to_contain_text("Alex Admin renamed this channel to late shift")
    await alex.act("Archive channel…")
    archive = alex.page.get_by_role("dialog", name="Archive channel")
    await archive.get_by_role("button", name="Archive", exact=True).click()
    await expect(ana.panel).to_contain_text("This channel is archived")
    await expect(ana.composer).to_have_count(0)
    await alex.act("Open channel again…")
    again = alex.page.get_by_role("dialog", name="Open channel again")
    await again.get_by_role("button", name="Open again", exact=True).click()
    await expect(ana.composer).to_be_visible()
    await alex.members.get_by_role("button", name="Remove Ana").click()
    remove = alex.page.get_by_role("dialog", name="Remove from channel")
    await remove.get_by_role("button", name="Remove").click()
    await expect(ana.panel).to_contain_text("This room is not here")
    await expect(ana.list.get_by_text("late shift")).to_have_count(0)
    await expect(ana.messages).to_have_count(0)


async def test_a_mention_in_a_room_leads_to_it(site: Served, sign_in: SignIn) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    ana, bo = Talk(await sign_in("agent1")), Talk(await sign_in("agent2"))
    await ana.enter()
    await ana.open(room)
    await ana.composer.press_sequentially("Look, @B")
    await expect(ana.page.get_by_role("listbox", name="Colleagues")).to_be_visible()
    await ana.composer.press("Enter")
    await ana.composer.press("Enter")
    await ana.expect_texts(["Look, @Bo"])
    await expect(bo.toasts).to_contain_text("Ana mentioned you in dispatch")
    await bo.toasts.get_by_role("button", name="Open").click()
    await expect(bo.messages.locator("strong.mention-me")).to_contain_text("@Bo")


async def test_a_draft_stays_in_its_room_and_shows_in_the_list(
    site: Served, sign_in: SignIn
) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    other = await direct(site, "agent1", "agent2")
    ana = Talk(await sign_in("agent1"))
    await ana.enter()
    await ana.open(room)
    await ana.composer.fill("half a thought")
    await expect(ana.row(room)).to_contain_text("Draft")
    await ana.open(other)
    await expect(ana.composer).to_have_value("")
    await ana.page.reload()
    await ana.open(room)
    await expect(ana.composer).to_have_value("half a thought")


async def test_markup_in_a_room_is_text(site: Served, sign_in: SignIn) -> None:
    room = await channel(site, "<img src=x onerror=alert(1)>", "agent1")
    evil = "<img src=x onerror=alert(1)>"
    await post(site, "admin", room, evil)
    ana = Talk(await sign_in("agent1"))
    await ana.enter()
    await ana.open(room)
    await ana.expect_texts([evil])
    await expect(ana.panel.get_by_role("heading", name=evil)).to_be_visible()
    await expect(ana.panel.locator("img")).to_have_count(0)


async def test_the_first_new_message_is_one_press_away(site: Served, sign_in: SignIn) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    for number in range(40):
        await post(site, "agent2", room, f"post {number}\nof two lines")
    ana = Talk(await sign_in("agent1"))
    await ana.enter()
    await ana.open(room)
    newest = ana.messages.get_by_text("post 39", exact=False)
    await expect(newest).to_be_in_viewport()
    first = ana.panel.get_by_role("button", name="First new message")
    await first.click()
    await expect(ana.messages.get_by_text("post 0", exact=False)).to_be_in_viewport()
    await expect(first).to_have_count(0)
    await post(site, "agent2", room, "meanwhile")
    button = ana.panel.get_by_role("button", name="1 new message")
    await expect(button).to_be_visible()
    await expect(ana.messages.get_by_text("post 0", exact=False)).to_be_in_viewport()
    await button.click()
    await expect(ana.messages.get_by_text("meanwhile")).to_be_in_viewport()


async def test_a_file_goes_with_a_post(site: Served, sign_in: SignIn) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    ana, bo = Talk(await sign_in("agent1")), Talk(await sign_in("agent2"))
    for talk in (ana, bo):
        await talk.enter()
        await talk.open(room)
    await attach(ana.page, ana.panel, picture())
    await expect(ana.panel.get_by_role("list", name="Attached files")).to_contain_text("parcel.png")
    await expect(ana.panel.get_by_role("progressbar")).to_have_count(0)
    await ana.send("The parcel")
    for talk in (ana, bo):
        await talk.expect_texts(["The parcel"])
        await expect_drawn(talk.messages, "parcel.png")


async def test_a_direct_message_calls_who_does_not_look_and_leads_to_it(
    site: Served, sign_in: SignIn
) -> None:
    room = await direct(site, "agent1", "agent2")
    page = await sign_in("agent2")
    await watch_notifications(page)
    bo = Talk(page)
    await bo.enter()
    await post(site, "agent1", room, "Lunch?")
    await page.wait_for_function("() => window.notifications.length > 0")
    [shown] = await page.evaluate("() => window.notifications")
    assert (shown["title"], shown["tag"]) == ("Ana", room)
    assert "Direct message" in shown["body"]
    await bo.expect_unread(1)
    title = await page.title()
    assert title == "Interactions · batonbox"  # the number there is of customers who wait


async def test_who_has_left_can_be_read_and_not_written_to(site: Served, sign_in: SignIn) -> None:
    room = await direct(site, "agent1", "agent3")
    await post(site, "agent3", room, "my last words")
    ana = Talk(await sign_in("agent1"))
    await ana.enter()
    await ana.open(room)
    await expect(ana.composer).to_be_visible()
    gone = await site.call("admin", "POST", "/v1/admin/users/agent3/deactivate", {})
    assert gone.is_success, gone.text
    await expect(ana.panel).to_contain_text("Dee has left the organisation.")
    await expect(ana.composer).to_have_count(0)
    await ana.expect_texts(["my last words"])


async def test_the_menu_of_the_last_message_is_in_sight(site: Served, sign_in: SignIn) -> None:
    room = await channel(site, "dispatch", "agent1")
    for number in range(30):
        await post(site, "agent1", room, f"post {number}")
    ana = Talk(await sign_in("agent1"))
    await ana.enter()
    await ana.open(room)
    await ana.messages.get_by_role("button", name=re.compile("^Actions for")).last.click()
    for item in ("Edit", "Delete…"):
        await expect(ana.page.get_by_role("menuitem", name=item)).to_be_in_viewport(ratio=1)


async def test_the_address_leads_to_a_message_far_up(site: Served, sign_in: SignIn) -> None:
    room = await channel(site, "dispatch", "agent1")
    numbers = [await post(site, "agent1", room, f"post {number}") for number in range(120)]
    page = await sign_in("agent1")
    base = page.url.split("/inboxes")[0]
    await page.goto(f"{base}/interactions?filter=channels&c={room}&n={numbers[5]}")
    ana = Talk(page)
    await expect(ana.line(numbers[5])).to_be_focused()
    await expect(ana.line(numbers[5])).to_contain_text("post 5")
    await expect(ana.line(numbers[5])).to_be_in_viewport()
    await ana.panel.get_by_role("button", name="Newest").click()
    await expect(ana.line(numbers[-1])).to_be_in_viewport()
    await ana.send("and one more")
    await expect(ana.messages.get_by_text("and one more")).to_be_in_viewport()


async def test_what_one_tab_reads_is_read_in_the_other(site: Served, sign_in: SignIn) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    page = await sign_in("agent1")
    first = Talk(page)
    await first.enter()
    other = await page.context.new_page()
    await other.goto(page.url)
    second = Talk(other)
    await post(site, "agent2", room, "anybody?")
    for tab in (first, second):
        await tab.expect_unread(1)
    await second.open(room)
    for tab in (first, second):
        await tab.expect_unread(0)
        await expect(tab.row(room)).not_to_contain_text("unread")


async def test_a_message_far_up_that_is_deleted_is_not_shown_any_longer(
    site: Served, sign_in: SignIn
) -> None:
    room = await channel(site, "dispatch", "agent1", "agent2")
    for number in range(120):
        n = await post(site, "agent2", room, f"text {number}")
    talk = Talk(await sign_in("agent1"))
    await talk.page.goto(f"{site.url}/interactions?c={room}&n={n - 90}")
    await expect(talk.line(n - 90)).to_be_focused()
    answer = await site.call("agent2", "POST", f"/v1/rooms/{room}/delete", {"n": n - 90})
    assert answer.is_success, answer.text
    await expect(talk.line(n - 90)).to_have_text("This message was deleted")
    await expect(talk.line(n - 89)).to_contain_text("text")


async def test_a_change_is_saved_once_however_often_enter_is_pressed(
    site: Served, sign_in: SignIn
) -> None:
    room = await channel(site, "dispatch", "agent1")
    n = await post(site, "agent1", room, "frist")
    page = await sign_in("agent1")
    sent: list[str | bytes] = []

    def heard(frame: str | bytes) -> None:
        sent.append(frame)

    page.on("websocket", lambda socket: socket.on("framesent", heard))
    await page.reload()
    talk = Talk(page)
    await talk.enter()
    await talk.open(room)
    await talk.composer.press("ArrowUp")
    editor = talk.messages.get_by_role("textbox", name="Edit message")
    await editor.fill("first")
    await editor.evaluate(
        """(field) => {
          for (let times = 0; times < 3; times++)
            field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
        }"""
    )
    await expect(talk.line(n)).to_contain_text("edited")
    await expect(talk.composer).to_be_focused()
    assert sum('"edit"' in str(frame) for frame in sent) == 1

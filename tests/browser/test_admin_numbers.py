"""Numbers on the Admin page: added, moved, switched; unrouted messages; the diagnosis."""

from __future__ import annotations

from playwright.async_api import Locator, Page, Route, expect

from tests.browser.admin_kit import at, looked_over, row
from tests.browser.desk import Desk
from tests.browser.kit import SignIn
from tests.served import SALES, Served

STRAY = "+14165550166"


async def opened(sign_in: SignIn, site: Served) -> tuple[Page, Locator, Locator]:
    """The page of an admin, its main part and the table of numbers."""
    page = await sign_in("admin")
    main = await at(page, site, "/admin/numbers", "Numbers")
    table = main.get_by_role("table", name="Numbers", exact=True)
    await expect(row(table, "+1 416 555 0100")).to_be_visible()
    return page, main, table


async def strays(site: Served, text: str, to: str = STRAY) -> None:
    """A customer texts a number that delivers nowhere."""
    body = {"from": "+14165550142", "to": to, "text": text}
    answer = await site.call("admin", "POST", "/v1/loopback/inbound", body)
    assert answer.json()["code"] == "number_not_routed", answer.text


async def test_unrouted_messages_are_routed_to_a_members_page(
    site: Served, sign_in: SignIn
) -> None:
    ana = Desk(await sign_in("agent1"))
    page, main, table = await opened(sign_in, site)
    await expect(main).to_contain_text("None. What customers write")
    await strays(site, "First")
    await strays(site, "<b>Second</b>")

    kept = main.get_by_role("region", name="Unrouted messages to +1 416 555 0166")
    await expect(kept).to_contain_text("2 messages", timeout=15_000)
    await expect(row(kept, "First")).to_contain_text("+1 416 555 0142")
    await expect(row(kept, "First")).to_contain_text("Was not one of your numbers")
    contact = {"name": "Lee & Sons", "numbers": ["+14165550142"]}
    assert (await site.call("admin", "POST", "/v1/contacts", contact)).is_success
    await expect(row(kept, "First")).to_contain_text("Lee & Sons")
    await expect(row(kept, "<b>Second</b>")).to_be_visible()
    await kept.get_by_role("button", name="Route it").click()
    dialog = page.get_by_role("dialog", name="Route +1 416 555 0166")
    await dialog.get_by_role("button", name="Route it").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Choose the inbox")
    await dialog.get_by_label("Deliver to").select_option(label="Sales")
    await looked_over(page)
    await dialog.get_by_role("button", name="Route it").click()
    await expect(dialog).to_be_hidden()
    toasts = page.get_by_role("region", name="Notifications")
    await expect(toasts).to_contain_text("2 messages to +1 416 555 0166 delivered to Sales.")
    await expect(kept).to_have_count(0)
    await expect(row(table, "+1 416 555 0166")).to_contain_text("Sales")

    items = (await site.get("agent1", "/v1/conversations?view=open"))["items"]
    conv = items[0]["id"]
    await ana.open(conv)
    await ana.expect_texts(["First", "<b>Second</b>"])


async def test_a_message_that_comes_while_the_page_opens_is_shown(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("admin")
    asked = 0

    async def after_the_list(route: Route) -> None:
        nonlocal asked
        asked += 1
        if asked == 2:  # the first is for the list, this one to see whether there are others
            await expect(page.get_by_role("main")).to_contain_text("None. What customers write")
            await strays(site, "In between")
        await route.continue_()

    await page.route("**/v1/admin/unrouted", after_the_list)
    main = await at(page, site, "/admin/numbers", "Numbers")
    await expect(main).to_contain_text("In between")


async def test_kept_messages_are_discarded_after_asking(site: Served, sign_in: SignIn) -> None:
    await strays(site, "Never mind")
    page, main, _ = await opened(sign_in, site)
    kept = main.get_by_role("region", name="Unrouted messages to +1 416 555 0166")
    await kept.get_by_role("button", name="Discard").click()
    dialog = page.get_by_role("dialog", name="Discard messages")
    await expect(dialog).to_contain_text("1 message.")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(kept).to_contain_text("Never mind")
    await kept.get_by_role("button", name="Discard").click()
    await dialog.get_by_role("button", name="Discard").click()
    await expect(kept).to_have_count(0)
    await expect(main.get_by_role("heading", name="Unrouted messages")).to_be_focused()
    assert (await site.get("admin", "/v1/admin/unrouted"))["items"] == []


async def test_the_diagnosis_tells_where_it_stops_and_that_it_is_mended(
    site: Served, sign_in: SignIn
) -> None:
    put = await site.call("admin", "PUT", f"/v1/admin/numbers/{STRAY.replace('+', '%2B')}", {})
    assert put.is_success, put.text
    page, main, table = await opened(sign_in, site)
    await main.get_by_role("button", name="Check +1 416 555 0166").click()
    panel = main.get_by_role("region", name="Messages are not appearing?")
    await expect(panel).to_contain_text("Messages to +1 416 555 0166 stop at “Assignment”.")
    steps = panel.get_by_role("list", name="Steps").get_by_role("listitem")
    await expect(steps).to_have_count(10)
    await expect(steps.nth(0)).to_contain_text("OK")
    await expect(steps.nth(3)).to_contain_text("Stops here")
    await expect(steps.nth(3)).to_contain_text("Assign it")
    await expect(steps.nth(4)).to_contain_text("Not looked at")
    await expect(panel.get_by_role("combobox", name="Number")).to_have_value(STRAY)
    await looked_over(page)

    # By keyboard alone: route it, and send a test message.
    await main.get_by_role("button", name="Route +1 416 555 0166").focus()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Edit +1 416 555 0166")
    await expect(dialog.get_by_label("Delivers to")).to_be_focused()
    await page.keyboard.type("Sales")
    await looked_over(page)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(dialog).to_be_hidden()
    await expect(row(table, "+1 416 555 0166")).to_contain_text("Sales")
    await panel.get_by_role("button", name="Send a test message").focus()
    await page.keyboard.press("Enter")
    await expect(panel).to_contain_text("A test message to +1 416 555 0166 arrived.")
    await expect(panel.get_by_text("Stops here")).to_have_count(0)
    await panel.get_by_role("link", name="Open its conversation").click()
    alex = Desk(page)
    await expect(alex.messages).to_contain_text("Test message: Alex Admin checks")


async def dismissed(toasts: Locator) -> None:
    """For a while they lie over the first rows."""
    dismiss = toasts.get_by_role("button", name="Dismiss")
    while await dismiss.count():
        await dismiss.first.click()


async def test_a_number_is_switched_moved_unassigned_and_deleted(
    site: Served, sign_in: SignIn
) -> None:
    page, main, table = await opened(sign_in, site)
    sales = row(table, "+1 416 555 0100")
    toggle = sales.get_by_role("switch", name="Messaging of +1 416 555 0100")
    await expect(toggle).to_be_checked()
    await toggle.click()
    await expect(toggle).not_to_be_checked()
    await strays(site, "Anybody?", to=SALES)
    toasts = page.get_by_role("region", name="Notifications")
    await toasts.get_by_role("button", name="Undo").click()
    await expect(toggle).to_be_checked()
    await expect(sales.get_by_role("cell").nth(3)).to_have_text("1")

    # What was kept goes where the number delivers: nothing to choose.
    kept = main.get_by_role("region", name="Unrouted messages to +1 416 555 0100")
    await kept.get_by_role("button", name="Route it").click()
    dialog = page.get_by_role("dialog", name="Route +1 416 555 0100")
    await expect(dialog).to_contain_text("1 message will be delivered to Sales")
    await dialog.get_by_role("button", name="Route it").click()
    await expect(kept).to_have_count(0)

    await dismissed(toasts)
    await sales.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog", name="Edit +1 416 555 0100")
    await dialog.get_by_label("Delivers to").select_option(label="Support")
    await expect(dialog).to_contain_text("Conversations stay where they are")
    await dialog.get_by_role("button", name="Save").click()
    await expect(sales).to_contain_text("Support")
    await dismissed(toasts)
    await sales.get_by_role("button", name="Unassign").click()
    dialog = page.get_by_role("dialog", name="Unassign number")
    await expect(dialog).to_contain_text("The conversations stay in Support.")
    await looked_over(page)
    await dialog.get_by_role("button", name="Unassign").click()
    await expect(sales).to_contain_text("nowhere")
    await sales.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete number")
    await dialog.get_by_role("button", name="Delete number").click()
    await expect(sales).to_have_count(0)
    await expect(main.get_by_role("button", name="Add number")).to_be_focused()
    assert SALES not in site.node.directory.routes


async def test_a_wrong_number_and_a_known_one_are_said_in_the_form(
    site: Served, sign_in: SignIn
) -> None:
    page, main, _ = await opened(sign_in, site)
    await main.get_by_role("button", name="Add number").click()
    dialog = page.get_by_role("dialog", name="Add number")
    field = dialog.get_by_label("Phone number")
    await expect(field).to_be_focused()
    await field.fill("416 555 0177")
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("alert")).to_contain_text("country code")
    await field.fill("+1 416 555 0100")
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("alert")).to_contain_text("there already")
    await expect(field).to_have_value("+1 416 555 0100")
    await expect(dialog.get_by_label("Carrier")).to_have_value("loopback")
    await looked_over(page)

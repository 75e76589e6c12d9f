"""People: invited, changed, let go; what a page shows of it at once, and what members see."""

from __future__ import annotations

import re

from playwright.async_api import Browser, Locator, Page, Request, expect

from tests.browser.admin_kit import at, looked_over, row
from tests.browser.desk import Desk
from tests.browser.kit import SignIn
from tests.served import SUPPORT, Served

PASSWORD = "quiet-otter-42"


async def opened(sign_in: SignIn, site: Served) -> tuple[Page, Locator]:
    """The team's page of an admin."""
    page = await sign_in("admin")
    main = await at(page, site, "/admin/team", "Team")
    await expect(main.get_by_role("table", name="People").get_by_role("row")).to_have_count(5)
    return page, main


async def person(main: Locator, name: str) -> Locator:
    """The part of the page about one person."""
    await main.get_by_role("button", name=name, exact=True).click()
    return main.get_by_role("region", name=name, exact=True)


def admin_requests(page: Page) -> list[str]:
    """Addresses of the admin API that the page asks from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/v1/admin" in request.url:
            asked.append(request.url)

    page.on("request", note)
    return asked


def excused(sign_in: SignIn, status: int) -> None:
    """Chromium reports each refused request on its console; nothing else was said."""
    assert [said for said in sign_in.complaints if str(status) not in said] == []
    sign_in.complaints.clear()


async def test_an_invitation_is_made_shown_once_and_accepted_elsewhere(
    site: Served, sign_in: SignIn, browser: Browser
) -> None:
    page, main = await opened(sign_in, site)
    await expect(main).to_contain_text("Nobody is invited at the moment.")
    await main.get_by_role("button", name="Invite", exact=True).click()
    dialog = page.get_by_role("dialog", name="Invite to the team")
    await dialog.get_by_role("button", name="Create invitation").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Write the name")
    await dialog.get_by_label("Name").fill("Cleo Park")
    await dialog.get_by_label("Id", exact=True).fill("agent1")
    await dialog.get_by_role("checkbox", name="Sales").check()
    await looked_over(page)
    await dialog.get_by_role("button", name="Create invitation").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("agent1")
    await expect(dialog.get_by_label("Name")).to_have_value("Cleo Park")
    await expect(dialog.get_by_role("checkbox", name="Sales")).to_be_checked()
    excused(sign_in, 409)
    await dialog.get_by_label("Id", exact=True).fill("")
    await dialog.get_by_role("button", name="Create invitation").click()

    shown = page.get_by_role("dialog", name="Invitation for Cleo Park")
    await expect(shown).to_contain_text("only time")
    link = shown.get_by_role("textbox", name="Link")
    await expect(link).to_be_focused()
    secret = await link.input_value()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await shown.get_by_role("button", name="Copy link").click()
    assert await page.evaluate("() => navigator.clipboard.readText()") == secret
    await looked_over(page)
    await shown.get_by_role("button", name="Done").click()
    await expect(shown).to_be_hidden()
    assert secret not in await page.content()
    invited = row(main.get_by_role("table", name="Open invitations"), "Cleo Park")
    for text in ("cleo-park", "Member", "Sales", "Alex Admin"):
        await expect(invited).to_contain_text(text)
    await expect(invited).to_contain_text(re.compile(r"\d{1,2} \w{3,4} \d{4}, \d\d:\d\d"))

    context = await browser.new_context()
    theirs = await context.new_page()
    await theirs.goto(secret)
    await expect(theirs.get_by_label("User", exact=True)).to_have_value("cleo-park")
    await theirs.get_by_label("Password", exact=True).fill(PASSWORD)
    await theirs.get_by_label("Password again").fill(PASSWORD)
    await theirs.get_by_role("button", name="Join and sign in").click()
    await expect(Desk(theirs).nav.get_by_role("link", name="Sales")).to_be_visible()
    await expect(Desk(theirs).nav.get_by_role("link", name="Support")).to_have_count(0)
    await context.close()

    # Nobody touched the admin's page.
    people = main.get_by_role("table", name="People")
    await expect(row(people, "cleo-park")).to_contain_text("Sales")
    await expect(invited).to_have_count(0)


async def test_an_invitation_by_keyboard_alone_and_revoked(site: Served, sign_in: SignIn) -> None:
    page, main = await opened(sign_in, site)
    opener = main.get_by_role("button", name="Invite", exact=True)
    await opener.focus()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Invite to the team")
    await expect(dialog.get_by_label("Name")).to_be_focused()
    await page.keyboard.type("Dora Ibsen")
    await page.keyboard.press("Tab")
    await page.keyboard.type("dora")
    await page.keyboard.press("Tab")
    await page.keyboard.press("a")
    await expect(dialog.get_by_role("combobox", name="Role")).to_have_value("admin")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await expect(dialog.get_by_role("checkbox", name="Support")).to_be_checked()
    await page.keyboard.press("Enter")
    shown = page.get_by_role("dialog", name="Invitation for Dora Ibsen")
    await expect(shown.get_by_role("textbox", name="Link")).to_be_focused()
    secret = await shown.get_by_role("textbox", name="Link").input_value()
    await page.keyboard.press("Escape")
    await expect(opener).to_be_focused()

    invited = row(main.get_by_role("table", name="Open invitations"), "dora")
    await expect(invited).to_contain_text("Admin")
    await invited.get_by_role("button", name="Revoke").click()
    asks = page.get_by_role("dialog", name="Revoke invitation")
    await asks.get_by_role("button", name="Revoke invitation").click()
    await expect(main).to_contain_text("Nobody is invited at the moment.")
    code = secret.split("#invite=")[1]
    looked = await site.http.post(
        "/v1/session/invite/look", json={"code": code}, headers={"origin": site.url}
    )
    assert looked.status_code == 401, looked.text


async def test_who_is_deactivated_is_out_at_once_and_can_come_back(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Hi", to=SUPPORT)
    bo, dee = Desk(await sign_in("agent2")), Desk(await sign_in("agent3"))
    await bo.open(conv)
    await bo.assign()
    await dee.open(conv)
    await dee.status("Assigned to Bo")
    page, main = await opened(sign_in, site)
    detail = await person(main, "Bo")
    await expect(detail.get_by_role("table", name="Sessions")).to_contain_text("Chrome")
    await looked_over(page)
    await detail.get_by_role("button", name="Deactivate").click()
    dialog = page.get_by_role("dialog", name="Deactivate Bo")
    await expect(dialog).to_contain_text("return to the inboxes")
    await looked_over(page)
    await dialog.get_by_role("button", name="Deactivate").click()
    # Nobody touched these pages.
    await expect(bo.page.get_by_role("heading", name="Sign in")).to_be_visible()
    await dee.status("Unassigned")
    await expect(dee.messages).to_contain_text("Bo")
    await expect(row(main.get_by_role("table", name="People"), "agent2")).to_contain_text(
        "Deactivated"
    )
    await expect(detail.get_by_role("button", name="Reactivate")).to_be_focused()
    await dee.assign()
    await dee.act("Transfer")
    offered = dee.page.get_by_role("dialog", name="Transfer").get_by_role("option")
    await expect(offered).to_have_text([re.compile("Alex Admin")])
    await dee.page.keyboard.press("Escape")

    await detail.get_by_role("button", name="Reactivate").click()
    dialog = page.get_by_role("dialog", name="Reactivate Bo")
    await dialog.get_by_role("checkbox", name="Support").check()
    await looked_over(page)
    await dialog.get_by_role("button", name="Reactivate").click()
    line = row(main.get_by_role("table", name="People"), "agent2")
    await expect(line).to_contain_text("Active")
    await expect(line).to_contain_text("Support")
    await expect(line).not_to_contain_text("Sales")
    back = Desk(await sign_in("agent2"))
    await expect(back.flag(conv, "other")).to_be_visible()


async def test_people_are_changed_and_refusals_lose_nothing(site: Served, sign_in: SignIn) -> None:
    page, main = await opened(sign_in, site)
    alex = await person(main, "Alex Admin")
    await alex.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog", name="Edit Alex Admin")
    await dialog.get_by_label("Name").fill("Alex Bell")
    await dialog.get_by_role("combobox", name="Role").select_option(label="Member")
    await expect(dialog).to_contain_text("You lose these pages at once")
    await looked_over(page)
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("the last active admin")
    await expect(dialog.get_by_label("Name")).to_have_value("Alex Bell")
    excused(sign_in, 409)
    await dialog.get_by_role("button", name="Cancel").click()
    for act in ("Deactivate", "Delete"):
        await alex.get_by_role("button", name=act).click()
        dialog = page.get_by_role("dialog", name=f"{act} Alex Admin")
        await dialog.get_by_role("button", name=act).click()
        await expect(dialog.get_by_role("alert")).to_contain_text("the last active admin")
        excused(sign_in, 409)
        await dialog.get_by_role("button", name="Cancel").click()

    ana = await person(main, "Ana")
    await ana.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog", name="Edit Ana")
    await dialog.get_by_label("Name").fill("Ana Lund")
    await dialog.get_by_role("combobox", name="Role").select_option(label="Admin")
    await dialog.get_by_role("button", name="Save").click()
    line = row(main.get_by_role("table", name="People"), "agent1")
    await expect(line).to_contain_text("Ana Lund")
    await expect(line).to_contain_text("Admin")
    ana = main.get_by_role("region", name="Ana Lund", exact=True)
    await ana.get_by_role("button", name="Set a password").click()
    dialog = page.get_by_role("dialog", name="Set a password for Ana Lund")
    await dialog.get_by_label("New password", exact=True).fill(PASSWORD)
    await dialog.get_by_label("New password again").fill("another-1234")
    await dialog.get_by_role("button", name="Set password").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("differ")
    await dialog.get_by_label("New password again").fill(PASSWORD)
    await looked_over(page)
    await dialog.get_by_role("button", name="Set password").click()
    await expect(dialog).to_be_hidden()
    entered = await site.http.post(
        "/v1/session",
        json={"user": "agent1", "password": PASSWORD},
        headers={"origin": site.url},
    )
    assert entered.is_success, entered.text
    await ana.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete Ana Lund")
    await expect(dialog).to_contain_text("cannot be undone")
    await dialog.get_by_role("button", name="Delete").click()
    await expect(line).to_have_count(0)
    await expect(ana).to_have_count(0)


async def test_all_of_somebodys_conversations_are_reassigned(site: Served, sign_in: SignIn) -> None:
    sold = [await site.texts("Hi", customer=f"+1416555021{n}") for n in range(3)]
    helped = await site.texts("Help", to=SUPPORT)
    for conv in (*sold, helped):
        assert (await site.act("agent2", conv, "assign")).is_success
    ana = Desk(await sign_in("agent1"))
    await expect(ana.flag(sold[0], "other")).to_be_visible()
    page, main = await opened(sign_in, site)
    bo = await person(main, "Bo")
    await bo.get_by_role("button", name="Reassign all").click()
    dialog = page.get_by_role("dialog", name="Reassign all of Bo's conversations")
    to = dialog.get_by_role("combobox", name="To")
    await to.select_option(label="Ana")
    await expect(dialog).to_contain_text("Ana is no member of stays")
    await looked_over(page)
    await dialog.get_by_role("button", name="Reassign all").click()
    result = page.get_by_role("dialog", name="Reassigned")
    await expect(result).to_contain_text("3 conversations of Bo moved to Ana.")
    await expect(result.get_by_role("listitem")).to_have_text(
        "+1 416 555 0142 in Support: Ana is not a member of its inbox"
    )
    await looked_over(page)
    await result.get_by_role("button", name="Done").click()
    for conv in sold:
        await expect(ana.flag(conv, "mine")).to_be_visible()

    other = await site.texts("Me too", customer="+14165550219")
    assert (await site.act("agent2", other, "assign")).is_success
    await bo.get_by_role("button", name="Reassign all").click()
    await dialog.get_by_role("combobox", name="Inbox").select_option(label="Support")
    await expect(to.get_by_role("option")).to_have_text(
        ["Back to the inboxes", "Alex Admin", "Dee"]
    )
    await dialog.get_by_role("button", name="Reassign all").click()
    await expect(dialog).to_be_hidden()
    await Desk(page).toast("1 conversation of Bo returned to the inboxes.")
    returned = await site.get("admin", f"/v1/conversations/{helped}")
    assert returned["status"] == "unassigned"
    stayed = await site.get("admin", f"/v1/conversations/{other}")
    assert stayed["assignee"] == "agent2"


async def test_who_leaves_an_inbox_loses_it_at_once_the_open_conversation_included(
    site: Served, sign_in: SignIn
) -> None:
    kept = await site.texts("Hi")
    conv = await site.texts("Secret of Support", to=SUPPORT)
    bo, dee = Desk(await sign_in("agent2")), Desk(await sign_in("agent3"))
    await bo.open(conv)
    await bo.assign()
    await bo.composer.fill("half a sentence")
    await expect(dee.flag(conv, "other")).to_be_visible()
    gone = await site.call("admin", "DELETE", "/v1/admin/inboxes/support/members/agent2")
    assert gone.is_success, gone.text
    # Nobody touched the page.
    await expect(bo.page.get_by_text("Secret of Support")).to_have_count(0)
    await expect(bo.composer).to_have_count(0)
    await expect(bo.nav.get_by_role("link", name="Support")).to_have_count(0)
    await expect(bo.row(conv)).to_have_count(0)
    await expect(bo.row(kept)).to_be_visible()
    await expect(dee.badge(conv, "blue")).to_be_visible()
    await bo.page.reload()
    await bo.ready()
    await expect(bo.page.get_by_text("Secret of Support")).to_have_count(0)
    excused(sign_in, 404)


async def test_a_member_is_barred_from_the_admin_pages_and_asks_nothing(
    site: Served, sign_in: SignIn
) -> None:
    page = await sign_in("agent1")
    await expect(Desk(page).nav.get_by_role("link", name="Admin")).to_have_count(0)
    asked = admin_requests(page)
    for path in ("/admin", "/admin/team", "/admin/numbers", "/admin/live"):
        main = await at(page, site, path, "Admin is for admins")
        await expect(main.get_by_role("table")).to_have_count(0)
    assert asked == []
    refused = await page.evaluate("() => fetch('/v1/admin/users').then((r) => r.status)")
    assert refused == 403
    excused(sign_in, 403)


async def test_an_admin_made_a_member_loses_the_pages_at_once(
    site: Served, sign_in: SignIn
) -> None:
    made = await site.call("admin", "PATCH", "/v1/admin/users/agent1", {"role": "admin"})
    assert made.is_success
    page = await sign_in("agent1")
    main = await at(page, site, "/admin/team", "Team")
    # What is asked before the change and answered after it is refused, as it must be.
    await expect(row(main, "agent1")).to_contain_text("Sales")
    await expect(main).to_contain_text("Nobody is invited at the moment.")
    asked = admin_requests(page)
    await site.call("admin", "PATCH", "/v1/admin/users/agent1", {"role": "member"})
    await expect(page.get_by_role("heading", name="Admin is for admins")).to_be_visible()
    await expect(Desk(page).nav.get_by_role("link", name="Admin")).to_have_count(0)
    assert asked == []


async def test_a_member_sees_what_an_inbox_is_and_whom_to_ask(
    site: Served, sign_in: SignIn
) -> None:
    desk = Desk(await sign_in("agent2"))
    about = desk.list.get_by_role("button", name="About this inbox")
    await expect(about).to_have_count(0)
    await desk.nav.get_by_role("link", name="Support").click()
    await about.focus()
    await desk.page.keyboard.press("Enter")
    dialog = desk.page.get_by_role("dialog", name="About Support")
    facts = await definitions(dialog)
    assert facts["Kind"] == ["Ring Group"]
    assert facts["Extension"] == ["101"]
    assert facts["Numbers"] == ["+1 416 555 0101"]
    assert facts["Members"] == ["Alex Admin", "Bo (you)", "Dee"]
    assert facts["Admins"] == ["Alex Admin"]
    await expect(dialog.get_by_role("link")).to_have_count(0)
    await looked_over(desk.page)
    gone = await site.call("admin", "DELETE", "/v1/admin/inboxes/support/members/agent3")
    assert gone.is_success
    await expect(dialog).not_to_contain_text("Dee")
    await desk.page.keyboard.press("Escape")
    await expect(about).to_be_focused()


async def definitions(within: Locator) -> dict[str, list[str]]:
    """A description list, term by term."""
    await expect(within.locator("dt").first).to_be_visible()
    return dict(
        await within.locator("dl").evaluate(
            """(list) => {
              const found = new Map();
              let term = "";
              for (const { tagName, textContent } of list.children) {
                if (tagName === "DT") found.set((term = textContent), []);
                else found.get(term).push(textContent);
              }
              return [...found];
            }"""
        )
    )

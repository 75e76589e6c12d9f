"""Who is there, what follows from it, and what is put aside: as people see it."""

from __future__ import annotations

import asyncio
import time
import uuid

from playwright.async_api import Page, Route

from tests.browser.admin_kit import assert_fits, at, looked_over, row
from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn, assert_accessible, watch_notifications
from tests.served import Served, served

ANOTHER = "+14165550143"


async def mine(site: Served, user: str, text: str = "Hi", customer: str = "") -> str:
    """A conversation of this person."""
    conv = await site.texts(text, **({"customer": customer} if customer else {}))
    assert (await site.act(user, conv, "assign")).is_success
    return conv


async def set_away(page: Page, *, release: bool = True) -> None:
    """By the person's own entry of the navigation."""
    await Desk(page).nav.get_by_role("button", name="Set as away").click()
    dialog = page.get_by_role("dialog", name="Set as away")
    gives = dialog.get_by_role("checkbox", name="Give customers' next messages back to the inbox")
    await expect(gives).to_be_checked()
    await gives.set_checked(release)
    await dialog.get_by_role("button", name="Set as away").click()
    await expect(dialog).to_be_hidden()


async def rules(site: Served, inbox: str = "sales", **options: object) -> None:
    """Change an inbox's rules as an admin's program does."""
    path = f"/v1/admin/inboxes/{inbox}"
    answer = await site.call("admin", "PATCH", path, {"options": options})
    assert answer.is_success, answer.text


async def snoozed_for(site: Served, user: str, conv: str, seconds: float) -> None:
    """So short a snooze is offered by no page."""
    row = await site.get(user, f"/v1/conversations/{conv}")
    await site.node.store.snooze(
        conv=conv,
        actor=user,
        cid=uuid.uuid4().hex,
        own_tok=row["own_tok"],
        until_ms=int((time.time() + seconds) * 1000),
    )


async def test_whoever_is_away_gives_the_next_message_back(site: Served, sign_in: SignIn) -> None:
    conv = await mine(site, "agent1")
    ana, bo = Desk(await sign_in("agent1")), Desk(await sign_in("agent2"))
    await bo.open(conv)
    await bo.status("Assigned to Ana online")
    await set_away(ana.page)
    strip = ana.page.get_by_role("region", name="You are away")
    await expect(strip).to_contain_text(
        "You are away. Customers' next messages go back to the inbox."
    )
    await expect(ana.nav.get_by_role("button", name="Ana")).to_contain_text("Away")
    await bo.status("Assigned to Ana away")
    await site.texts("Is anybody there?")
    await bo.status("Unassigned")
    await expect(bo.messages).to_contain_text("Ana was away: returned to the inbox")
    await ana.toast("You are away: the conversation with +1 416 555 0142 went back")
    await expect(ana.badge(conv, "blue")).to_be_visible()
    await ana.page.reload()
    await expect(strip).to_be_visible()
    await strip.get_by_role("button", name="I am back").press("Enter")
    await expect(strip).to_have_count(0)
    await ana.toast("You are available again.")
    await expect(ana.row(conv)).to_be_focused()  # the button is gone: not with the focus
    await ana.open(conv)
    await ana.assign()
    await bo.status("Assigned to Ana online")
    await site.texts("Still here")
    await expect(bo.messages).to_contain_text("Still here")
    await bo.status("Assigned to Ana online")


async def test_whoever_is_away_may_let_messages_wait(site: Served, sign_in: SignIn) -> None:
    conv = await mine(site, "agent1")
    ana = Desk(await sign_in("agent1"))
    await set_away(ana.page, release=False)
    strip = ana.page.get_by_role("region", name="You are away")
    await expect(strip).to_contain_text("You are away. Customers' messages wait for you.")
    await site.texts("Is anybody there?")
    await expect(ana.badge(conv, "green")).to_be_visible()
    await expect(ana.flag(conv, "mine")).to_be_visible()


async def test_whoever_went_offline_loses_what_waits(
    engine_url: str, prefix: str, sign_in: SignIn
) -> None:
    """Gone for longer than the inbox bears: the hour is not waited for, but told to the engine."""
    async with served(engine_url, f"{prefix}o", as_demo=True, presence_linger_s=0.2) as site:
        conv = await mine(site, "agent1")
        ana = Desk(await sign_in("agent1", at=site, network_fails=True))
        bo = Desk(await sign_in("agent2", at=site, network_fails=True))
        await bo.open(conv)
        await bo.status("Assigned to Ana online")
        await ana.page.close()
        await bo.status("Assigned to Ana offline")
        await site.texts("Is anybody there?")
        await expect(bo.messages).to_contain_text("Is anybody there?")
        await bo.status("Assigned to Ana offline")
        now_ms, hour_ms = int(time.time() * 1000), 3_600_000
        store, keys = site.node.store, site.node.keys
        await site.node.client.execute(
            "HSET", f"{keys.inbox('sales')}:c:{conv}", "acted_ms", str(now_ms - hour_ms)
        )
        await store.set_offline(
            inbox="sales", user="agent1", version=now_ms + hour_ms, since_ms=now_ms - hour_ms
        )
        await site.texts("Hello?")
        await expect(bo.messages).to_contain_text("Ana was offline: returned to the inbox")
        await bo.status("Unassigned")


async def test_a_transfer_to_who_is_not_there_goes_through_and_says_so(
    site: Served, sign_in: SignIn
) -> None:
    conv = await mine(site, "agent1")
    ana, bo = Desk(await sign_in("agent1")), Desk(await sign_in("agent2"))
    await set_away(bo.page)
    await ana.open(conv)
    await ana.act("Transfer")
    dialog = ana.page.get_by_role("dialog", name="Transfer")
    await expect(dialog.get_by_role("option", name="Bo away")).to_be_visible()
    await expect(dialog.get_by_role("option", name="Dee offline")).to_be_visible()
    await ana.page.keyboard.press("Escape")
    await ana.transfer("Bo")
    await ana.toast("Transferred to Bo, who is away.")
    await expect(bo.badge(conv, "green")).to_be_visible()
    await ana.toasts.get_by_role("button", name="Undo").click()
    await ana.status("Assigned to you")
    await ana.transfer("Dee")
    await ana.toast("Transferred to Dee, who is offline.")


async def test_a_snooze_rests_until_its_owner_wakes_it(site: Served, sign_in: SignIn) -> None:
    conv = await mine(site, "agent1")
    ana, bo = Desk(await sign_in("agent1")), Desk(await sign_in("agent2"))
    await ana.open(conv)
    await bo.open(conv)
    await ana.messages.focus()
    await ana.page.keyboard.press("z")
    dialog = ana.page.get_by_role("dialog", name="Snooze")
    await dialog.get_by_role("button", name="Tomorrow").click()
    await expect(dialog).to_be_hidden()
    await ana.toast("Snoozed until tomorrow 09:00.")
    await ana.panel.get_by_role("button", name="Wake").click(trial=True)  # no toast lies over it
    for desk in (ana, bo):
        await expect(desk.panel).to_contain_text("Snoozed until tomorrow 09:00")
        await expect(desk.row(conv)).to_contain_text("snoozed until")
    await expect(ana.messages).to_contain_text("You snoozed this until")
    await expect(bo.panel.get_by_role("button", name="Wake")).to_have_count(0)
    await ana.panel.get_by_role("button", name="Wake").press("Enter")
    await expect(ana.composer).to_be_focused()
    await expect(ana.row(conv)).not_to_contain_text("snoozed")
    await expect(bo.messages).to_contain_text("Ana woke this")
    await ana.act("Snooze…")
    await dialog.get_by_label("Date and time").fill("2020-01-01T09:00")
    await dialog.get_by_role("button", name="Snooze", exact=True).click()
    await expect(dialog.get_by_role("alert")).to_contain_text("That is in the past")


async def test_what_is_due_again_calls_its_owner(site: Served, sign_in: SignIn) -> None:
    conv = await mine(site, "agent1")
    ana = Desk(await sign_in("agent1"))
    await watch_notifications(ana.page)
    await expect(ana.flag(conv, "mine")).to_be_visible()
    await snoozed_for(site, "agent1", conv, 1.5)
    await expect(ana.row(conv)).to_contain_text("snoozed until")
    await expect(ana.badge(conv)).to_have_count(0)
    await expect(ana.badge(conv, "green")).to_be_visible()
    await expect(ana.row(conv)).not_to_contain_text("snoozed")
    await ana.toast("The conversation with +1 416 555 0142 is due again.")
    await ana.page.wait_for_function("() => window.notifications.length === 1")
    assert "Due again · Sales" in (await ana.js("() => window.notifications[0].body"))
    await ana.open(conv)
    await expect(ana.messages).to_contain_text("Woken")


async def test_a_customer_wakes_what_is_snoozed(site: Served, sign_in: SignIn) -> None:
    conv = await mine(site, "agent1")
    ana = Desk(await sign_in("agent1"))
    await expect(ana.flag(conv, "mine")).to_be_visible()
    await snoozed_for(site, "agent1", conv, 3600)
    await expect(ana.row(conv)).to_contain_text("snoozed until")
    await site.texts("One more thing")
    await expect(ana.badge(conv, "green")).to_be_visible()
    await expect(ana.row(conv)).not_to_contain_text("snoozed")


async def test_members_hand_out_what_is_unassigned_where_they_may(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Hi")
    ana, bo = Desk(await sign_in("agent1")), Desk(await sign_in("agent2"))
    await ana.open(conv)
    await ana.panel.get_by_role("button", name="More actions").click()
    item = ana.page.get_by_role("menuitem", name="Assign to…")
    await expect(ana.page.get_by_role("menuitem", name="Assign to Me")).to_be_visible()
    await expect(item).to_have_count(0)
    await rules(site, members_may_dispatch=True)
    await item.click()
    dialog = ana.page.get_by_role("dialog", name="Assign to…")
    await dialog.get_by_role("option", name="Bo").click()
    await dialog.get_by_role("button", name="Assign", exact=True).click()
    await ana.toast("Assigned to Bo.")
    await expect(bo.flag(conv, "mine")).to_be_visible()
    await expect(bo.badge(conv, "green")).to_be_visible()
    await ana.status("Assigned to Bo")


async def test_others_see_who_looks_and_who_types(site: Served, sign_in: SignIn) -> None:
    conv = await mine(site, "agent1")
    other = await site.texts("Elsewhere", customer=ANOTHER)
    ana, bo = Desk(await sign_in("agent1")), Desk(await sign_in("agent2"))
    await ana.open(conv)
    await bo.open(conv)
    await ana.status("viewing: Bo")
    await bo.status("viewing: Ana")
    await ana.composer.press_sequentially("On it")
    await bo.status("Ana is typing…")
    await ana.page.get_by_role("button", name="Send", exact=True).click()
    head = bo.panel.locator("header")
    await expect(head).not_to_contain_text("typing")
    await bo.status("viewing: Ana")
    await ana.open(other)
    await expect(head).not_to_contain_text("viewing")
    await ana.open(conv)
    await bo.status("viewing: Ana")
    await ana.page.close()
    await expect(head).not_to_contain_text("viewing")


async def test_a_reopened_conversation_comes_back_to_who_had_it(
    site: Served, sign_in: SignIn
) -> None:
    conv = await mine(site, "agent1")
    await rules(site, reopen_to="last_assignee")
    ana, bo = Desk(await sign_in("agent1")), Desk(await sign_in("agent2"))
    await ana.open(conv)
    await ana.act("Mark as Done")
    await ana.status("Done")
    await ana.page.go_back()
    await site.texts("One more thing")
    await expect(ana.flag(conv, "mine")).to_be_visible()
    await expect(ana.badge(conv, "green")).to_be_visible()
    await ana.toast("+1 416 555 0142 wrote again: the conversation is back with you.")
    await expect(bo.flag(conv, "other")).to_be_visible()
    await ana.open(conv)
    await ana.act("Mark as Done")
    await ana.status("Done")
    await set_away(ana.page)
    await site.texts("And another")
    await expect(bo.badge(conv, "blue")).to_be_visible()


async def test_who_opted_out_cannot_be_written_to(site: Served, sign_in: SignIn) -> None:
    conv = await mine(site, "agent1")
    ana = Desk(await sign_in("agent1"))
    await ana.open(conv)
    await ana.composer.fill("Are you there?")
    await site.texts("STOP")
    await expect(ana.panel).to_contain_text(
        "This customer has opted out (STOP). They have to text START first."
    )
    await expect(ana.composer).to_have_count(0)
    await site.texts("START")
    await expect(ana.composer).to_have_value("Are you there?")


async def test_an_admin_sets_the_rules_of_an_inbox(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("admin")
    main = await at(page, site, "/admin/inboxes", "Inboxes")
    await main.get_by_role("button", name="Rules of Sales").click()
    dialog = page.get_by_role("dialog", name="Rules of Sales")
    await looked_over(page)
    await dialog.get_by_label("When a customer writes again").select_option("last_assignee")
    await dialog.get_by_role("checkbox", name="Members may assign to colleagues").check()
    await dialog.get_by_role("textbox", name="Minutes without an answer").fill("half an hour")
    await dialog.get_by_role("textbox", name="Answer to HELP").fill("Call +1 416 555 0100.")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Minutes are whole numbers")
    await dialog.get_by_role("textbox", name="Minutes without an answer").fill("30")
    asked = 0

    async def slowly(route: Route) -> None:
        """Meanwhile a colleague changes something: another question outdates this one."""
        nonlocal asked
        asked += 1
        if asked == 1:
            renamed = {"name": "Help"}
            await site.call("admin", "PATCH", "/v1/admin/inboxes/support", renamed)
        await asyncio.sleep(0.5 * asked)
        await route.continue_()

    await page.route("**/v1/admin/inboxes", slowly)
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_be_hidden()
    found = await site.get("admin", "/v1/admin/inboxes")
    (sales,) = [inbox for inbox in found["items"] if inbox["id"] == "sales"]
    assert sales["options"] == {
        "reopen_to": "last_assignee",
        "members_may_dispatch": True,
        "silent_min": 30,
        "offline_min": 5,
        "stop_text": "",
        "start_text": "",
        "help_text": "Call +1 416 555 0100.",
    }
    await main.get_by_role("button", name="Rules of Sales").click()
    await expect(dialog.get_by_role("textbox", name="Minutes without")).to_have_value("30")


async def test_an_admin_says_that_somebody_is_away(site: Served, sign_in: SignIn) -> None:
    page, ana = await sign_in("admin"), Desk(await sign_in("agent1"))
    main = await at(page, site, "/admin/team", "Team")
    await expect(row(main, "agent1")).to_contain_text("online")
    await expect(row(main, "agent3")).to_contain_text("offline")
    await main.get_by_role("button", name="Ana", exact=True).click()
    await main.get_by_role("button", name="Set as away…").click()
    dialog = page.get_by_role("dialog", name="Set Ana as away")
    await looked_over(page)
    await dialog.get_by_role("button", name="Set as away").click()
    await expect(row(main, "agent1")).to_contain_text("Away")
    strip = ana.page.get_by_role("region", name="You are away")
    await expect(strip).to_contain_text("You are away.")
    await main.get_by_role("button", name="Set as available").click()
    back = page.get_by_role("dialog", name="Set Ana as available")
    await back.get_by_role("button", name="Set as available").click()
    await expect(strip).to_have_count(0)


async def test_nothing_of_it_is_a_barrier(site: Served, sign_in: SignIn) -> None:
    """axe in both themes, and 320 px: the strip, the dialogs, a snoozed conversation."""
    conv = await mine(site, "agent1")
    ana = Desk(await sign_in("agent1"))
    await ana.open(conv)
    await ana.nav.get_by_role("button", name="Set as away").click()
    await looked_over(ana.page)
    await ana.page.keyboard.press("Escape")
    await ana.messages.focus()
    await ana.page.keyboard.press("z")
    dialog = ana.page.get_by_role("dialog", name="Snooze")
    await expect(dialog).to_be_visible()
    await looked_over(ana.page)
    await dialog.get_by_role("button", name="In 1 hour").click()
    await set_away(ana.page)
    await expect(ana.panel).to_contain_text("Snoozed until")
    await looked_over(ana.page)
    await ana.page.set_viewport_size({"width": 320, "height": 700})
    await expect(ana.page.get_by_role("button", name="I am back")).to_be_in_viewport()
    await ana.page.goto(f"{site.url}/settings")
    await expect(ana.page.get_by_role("heading", name="Availability")).to_be_visible()
    await assert_fits(ana.page)
    await assert_accessible(ana.page)

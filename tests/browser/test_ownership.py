"""Who may answer: one composer at a time, whatever two people press."""

from __future__ import annotations

import asyncio

from playwright.async_api import Route

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn, watch_notifications
from tests.relay import cuttable
from tests.served import SUPPORT, Served


async def test_a_locked_composer_says_why_and_offers_the_button(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Hi")
    ana = Desk(await sign_in("agent1"))
    await ana.open(conv)
    await expect(ana.panel).to_contain_text("Assign this conversation to yourself to reply.")
    await expect(ana.composer).to_have_count(0)
    await ana.assign()
    await expect(ana.composer).to_be_visible()
    await ana.send("On its way.")
    await ana.expect_texts(["Hi", "On its way."])
    assert await site.phone_with(1) == ["On its way."]


async def test_the_reply_field_has_the_focus_however_late_it_comes(
    site: Served, sign_in: SignIn
) -> None:
    """What acting takes is loaded when a conversation is opened: here that lasts."""
    conv = await site.texts("Hi")
    page = await sign_in("agent1")
    delayed = asyncio.Event()

    async def late(route: Route) -> None:
        delayed.set()
        await asyncio.sleep(0.3)
        await route.continue_()

    await page.route("**/assets/deeds*", late)
    await page.reload()
    ana = Desk(page)
    await ana.open(conv)
    await ana.assign()
    await expect(ana.composer).to_be_focused()
    assert delayed.is_set()


async def test_assigning_shows_at_once_and_a_lost_race_names_the_winner(
    site: Served, sign_in: SignIn
) -> None:
    """While the answers are held back the page shows my claim; then the truth takes it back."""
    conv = await site.texts("Hi")
    async with cuttable(site.port) as link:
        ana = Desk(await sign_in("agent1", url=link.url))
        await ana.open(conv)
        await expect(ana.badge(conv)).to_have_count(0)
        link.hold()
        assert (await site.act("agent2", conv, "assign")).is_success
        await ana.assign()
        await expect(ana.composer).to_be_visible()
        await expect(ana.flag(conv, "mine")).to_be_visible()
        await ana.composer.fill("I am on it")
        link.release()
        await ana.toast("Bo picked this up first.")
        await expect(ana.composer).to_have_count(0)
        await expect(ana.flag(conv, "other")).to_be_visible()
        await expect(ana.panel).to_contain_text("Bo is handling this conversation.")
    assert await site.phone() == []


async def test_a_claim_is_confirmed_when_its_answer_comes(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi")
    async with cuttable(site.port) as link:
        ana = Desk(await sign_in("agent1", url=link.url))
        await ana.open(conv)
        link.hold()
        await ana.assign()
        await expect(ana.composer).to_be_visible()
        link.release()
        await ana.status("Assigned to you")
        await ana.send("Yes")
        assert await site.phone_with(1) == ["Yes"]


async def test_two_who_press_at_once_leave_one_composer(site: Served, sign_in: SignIn) -> None:
    ana, bo = Desk(await sign_in("agent1")), Desk(await sign_in("agent2"))
    for number in range(5):
        conv = await site.texts("Hi", customer=f"+1416555021{number}")
        await asyncio.gather(ana.open(conv), bo.open(conv))
        await asyncio.gather(ana.press(), bo.press())
        row = await settled(site, conv)
        winner, loser = (ana, bo) if row["assignee"] == "agent1" else (bo, ana)
        await expect(winner.composer).to_be_visible()
        await expect(loser.composer).to_have_count(0)
        await expect(loser.panel).to_contain_text("is handling this conversation.")


async def settled(site: Served, conv: str) -> dict[str, str]:
    """The conversation once somebody owns it."""
    for _ in range(500):
        row: dict[str, str] = await site.get("admin", f"/v1/conversations/{conv}")
        if row["assignee"]:
            return row
        await asyncio.sleep(0.01)
    raise AssertionError("nobody got it")


async def test_transfer_offers_members_only_and_carries_the_note(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Help", to=SUPPORT)
    bo, dee = Desk(await sign_in("agent2")), Desk(await sign_in("agent3"))
    await watch_notifications(dee.page)
    await bo.open(conv)
    await bo.assign()
    await expect(dee.flag(conv, "other")).to_be_visible()
    await bo.act("Transfer")
    dialog = bo.page.get_by_role("dialog", name="Transfer")
    await expect(dialog.get_by_role("option")).to_have_count(2)
    names = await dialog.get_by_role("option").all_inner_texts()
    assert sorted(name.split("\n")[0] for name in names) == ["Alex Admin", "Dee"]
    await bo.page.keyboard.press("Escape")
    await bo.transfer("Dee", note="she knows him")
    await expect(dee.flag(conv, "mine")).to_be_visible()
    await expect(dee.badge(conv, "green")).to_be_visible()
    await dee.page.wait_for_function("() => window.notifications.length === 1")
    await dee.expect_totals(0, 1)
    await dee.open(conv)
    await expect(dee.messages).to_contain_text("she knows him")
    await expect(dee.composer).to_be_visible()
    await bo.status("Assigned to Dee")
    await expect(bo.composer).to_have_count(0)


async def test_return_reaches_everybody(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi")
    ana, bo = Desk(await sign_in("agent1")), Desk(await sign_in("agent2"))
    await ana.open(conv)
    await ana.assign()
    await expect(bo.flag(conv, "other")).to_be_visible()
    await ana.act("Return to Inbox")
    await expect(bo.badge(conv, "blue")).to_be_visible()
    await expect(ana.composer).to_have_count(0)
    await ana.status("Unassigned")
    await expect(ana.badge(conv)).to_have_count(0)
    await bo.expect_totals(1, 0)
    await ana.expect_totals(0, 0)


async def test_done_and_undo_and_a_customer_who_writes_again(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi")
    ana = Desk(await sign_in("agent1"))
    await ana.open(conv)
    await ana.assign()
    await ana.status("Assigned to you")
    await ana.act("Mark as Done")
    await ana.toast("Marked as done.")
    await expect(ana.row(conv)).to_have_count(0)
    await expect(ana.panel).to_contain_text("Done by you")
    await ana.toasts.get_by_role("button", name="Undo").click()
    await ana.status("Assigned to you")
    await expect(ana.flag(conv, "mine")).to_be_visible()
    await ana.act("Mark as Done")
    await expect(ana.row(conv)).to_have_count(0)
    await ana.nav.get_by_role("link", name="Sales").click()
    await site.texts("One more thing")
    await expect(ana.badge(conv, "blue")).to_be_visible()
    assert await ana.order() == [conv]


async def test_only_an_admin_takes_over_and_the_loser_keeps_the_draft(
    site: Served, sign_in: SignIn
) -> None:
    conv = await site.texts("Hi")
    ana, bo = Desk(await sign_in("agent1")), Desk(await sign_in("agent2"))
    alex = Desk(await sign_in("admin"))
    await ana.open(conv)
    await ana.assign()
    await ana.composer.fill("half a sentence")
    await bo.open(conv)
    await expect(bo.panel).to_contain_text("Ana is handling this conversation.")
    await expect(bo.panel.get_by_role("button", name="Take over")).to_have_count(0)
    await alex.open(conv)
    await alex.panel.get_by_role("button", name="Take over").click()
    await alex.page.get_by_role("dialog").get_by_role("button", name="Take over").click()
    await expect(alex.composer).to_be_visible()
    await ana.toast("Alex Admin took this conversation over. Your draft is kept.")
    kept = await site.get("admin", f"/v1/admin/audit?conv={conv}&action=take_over")
    (entry,) = kept["items"]
    assert (entry["actor"], entry["via"], entry["before"]["assignee"]) == ("admin", "web", "agent1")
    await expect(ana.composer).to_have_count(0)
    await ana.page.reload()
    assert (await site.act("admin", conv, "transfer", to="agent1")).is_success
    await expect(ana.composer).to_have_value("half a sentence")

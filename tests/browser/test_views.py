"""Which lists are shown, in which order, and what the address keeps."""

from __future__ import annotations

import re

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn
from tests.served import SUPPORT, Served


async def test_the_first_view_is_unassigned_then_assigned_to_me(
    site: Served, sign_in: SignIn
) -> None:
    waiting = await site.texts("one", customer="+14165550201")
    mine = await site.texts("two", customer="+14165550202")
    others = await site.texts("three", customer="+14165550203")
    await site.act("agent2", mine, "assign")
    await site.act("agent3", others, "assign")
    bo = Desk(await sign_in("agent2"))
    await bo.ready()
    for name in ("Unassigned", "Assigned to Me", "Assigned to others"):
        await expect(bo.section(name)).to_contain_text("1")
    await expect(bo.row(others)).to_be_visible()
    assert await bo.order() == [waiting, mine, others]
    open_, done = (bo.list.get_by_role("button", name=n, exact=True) for n in ("Open", "Done"))
    await expect(open_).to_have_attribute("aria-pressed", "true")
    await expect(done).to_have_attribute("aria-pressed", "false")


async def test_open_and_done_stand_in_the_address(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi")
    await site.act("agent2", conv, "done")
    ana = Desk(await sign_in("agent1"))
    await ana.ready()
    await ana.list.get_by_role("button", name="Done", exact=True).click()
    await expect(ana.row(conv)).to_be_visible()
    assert "filter=done" in ana.page.url
    await ana.page.reload()
    await expect(ana.row(conv)).to_be_visible()
    await ana.page.go_back()
    await expect(ana.section("Unassigned")).to_be_visible()
    await expect(ana.row(conv)).to_have_count(0)


async def test_the_picker_narrows_to_one_inbox(site: Served, sign_in: SignIn) -> None:
    sales = await site.texts("one", customer="+14165550201")
    support = await site.texts("two", to=SUPPORT, customer="+14165550202")
    bo = Desk(await sign_in("agent2"))
    await expect(bo.row(sales)).to_be_visible()
    await expect(bo.row(support)).to_contain_text("Support")
    await bo.list.get_by_label("Inbox", exact=True).select_option(label="Support")
    await expect(bo.row(sales)).to_have_count(0)
    await expect(bo.row(support)).to_be_visible()
    await expect(bo.page).to_have_url(re.compile("/inboxes/support"))
    await bo.page.reload()
    await expect(bo.row(support)).to_be_visible()
    await expect(bo.row(sales)).to_have_count(0)


async def test_a_conversation_stands_in_the_address(site: Served, sign_in: SignIn) -> None:
    conv = await site.texts("Hi there")
    ana = Desk(await sign_in("agent1"))
    await ana.open(conv)
    await expect(ana.page).to_have_url(re.compile("c="))
    await ana.page.reload()
    await ana.expect_texts(["Hi there"])

"""The live view: figures that move by themselves, and stop being asked for when nobody looks."""

from __future__ import annotations

from tests.browser.admin_kit import at, looked_over, row
from tests.browser.desk import expect
from tests.browser.kit import SignIn
from tests.served import Served


async def test_figures_follow_what_happens(site: Served, sign_in: SignIn) -> None:
    await site.texts("Is it ready?")
    page = await sign_in("admin")
    main = await at(page, site, "/admin/live", "Live view")
    line = main.locator(".live-line")
    await expect(line).to_contain_text("1 client")
    await expect(line).to_contain_text("unassigned 1, oldest under 1 min")
    await looked_over(page)
    # Somebody comes, and takes it.
    await sign_in("agent2")
    await expect(line).to_contain_text("2 clients")
    conv = await site.texts("Hello?")
    assert (await site.act("agent2", conv, "assign")).is_success
    await expect(line).to_contain_text("unassigned 0")
    bo = row(main.get_by_role("table", name="People"), "Bo").get_by_role("cell")
    assert await bo.all_inner_texts() == ["1", "1"]
    sales = row(main.get_by_role("table", name="Inboxes"), "Sales").get_by_role("cell")
    assert (await sales.all_inner_texts())[:3] == ["0", "\u2013", "1"]


async def test_a_server_that_is_away_is_told(site: Served, sign_in: SignIn) -> None:
    page = await sign_in("admin", network_fails=True)
    main = await at(page, site, "/admin/live", "Live view")
    await expect(main.locator(".live-line")).to_be_visible()
    await page.context.set_offline(True)
    await expect(main.get_by_role("status")).to_contain_text("cannot be reached")
    await expect(main.get_by_role("status")).to_contain_text("out of date", timeout=15_000)
    await page.context.set_offline(False)
    await expect(main.get_by_role("status")).to_be_empty(timeout=15_000)

"""From a phone by way of a real SMS gateway to an open page, and back."""

from __future__ import annotations

import re
from pathlib import Path

from tests.browser.desk import Desk, expect
from tests.browser.kit import SignIn
from tests.kannel.gateway import gateway
from tests.kannel.line import connected
from tests.kannel.phones import fake_centre
from tests.served import CUSTOMER, SALES


async def test_a_text_by_kannel_is_answered_on_the_page_and_delivered(
    engine_url: str, prefix: str, tmp_path: Path, sign_in: SignIn
) -> None:
    async with (
        gateway(tmp_path) as kannel,
        connected(engine_url, f"{prefix}k:", kannel, as_demo=True) as site,
        fake_centre(kannel.ports["fake"]) as phones,
    ):
        page = await sign_in("agent1", at=site)
        ana = Desk(page)
        phones.says("Is my order ready? 👍", customer=CUSTOMER, our=SALES)
        await ana.expect_totals(1, 0)
        row = ana.list.get_by_role("link", name=re.compile(r"Is my order ready\?"))
        await row.click()
        await ana.expect_texts(["Is my order ready? 👍"])
        await ana.assign()
        await ana.send("Yes, come by.")
        await expect(ana.messages.get_by_text("Delivered")).to_be_visible()
        assert await phones.hears(1) == ["Yes, come by."]
        assert (phones.heard[0].our, phones.heard[0].customer) == (SALES, CUSTOMER)
        await page.close()  # the server ends first

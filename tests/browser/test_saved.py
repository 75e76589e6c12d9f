"""Dialogs that change something: they close when the page shows what was saved in them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from playwright.async_api import Route, expect

from tests.browser.kit import SignIn
from tests.browser.talk import channel
from tests.served import Served, served


class Case(NamedTuple):
    """`presses` lead from the page to the dialog; `field` of it is given `value`."""

    page: str
    presses: tuple[str, ...]
    dialog: str
    field: str
    value: str
    button: str = "Save"


CASES = {
    "an inbox": Case("admin/inboxes", ("Edit Sales",), "Edit inbox", "Name", "Shop"),
    "a person": Case("admin/team", ("Bo", "Edit"), "Edit Bo", "Name", "Bo Lund"),
    "a number": Case(
        "admin/numbers", ("Edit +1 416 555 0100",), "Edit +1 416 555 0100", "Delivers to", "Counter"
    ),
    "a carrier": Case(
        "admin/carriers", ("Main", "Edit"), "Edit carrier account", "Name", "Main line"
    ),
    "a webhook": Case("admin/webhooks", ("Orders", "Edit"), "Edit webhook", "Label", "Invoices"),
    "a channel": Case(
        "admin/channels", ("dispatch", "Rename"), "Rename dispatch", "Name", "Night shift", "Rename"
    ),
    "retention": Case(
        "admin/keeping", ("Change…",), "Change retention", "Days for messages with customers", "400"
    ),
    "a contact": Case("contacts", ("Lee",), "Contact", "Name", "Lee & Sons"),
}


@pytest_asyncio.fixture(loop_scope="session")
async def site(engine_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[Served]:
    """With an archive, without which nothing is erased."""
    archive = f"sqlite://{tmp_path}/archive.sqlite"
    async with served(engine_url, prefix, as_demo=True, archive_url=archive) as site:
        yield site


async def prepared(site: Served) -> None:
    """What the demo organisation has none of."""
    await channel(site, "dispatch", "agent1")
    secret = {"secret": "0" * 32, "config": {"account_sid": f"AC{'0' * 32}"}}
    made: dict[str, dict[str, Any]] = {
        "/v1/admin/carriers": {"id": "main", "kind": "twilio", "name": "Main", **secret},
        "/v1/admin/webhooks": {"url": "https://hooks.example.com/orders", "label": "Orders"},
        "/v1/admin/inboxes": {"id": "counter", "name": "Counter", "numbers": []},
        "/v1/contacts": {"name": "Lee", "numbers": ["+14165550142"]},
    }
    for path, body in made.items():
        answer = await site.call("admin", "POST", path, body)
        assert answer.is_success, answer.text


async def late(route: Route) -> None:
    """What is read is answered late."""
    if route.request.method == "GET":
        await asyncio.sleep(0.5)
    await route.continue_()


@pytest.mark.parametrize("what", CASES)
async def test_it_closes_when_the_page_shows_what_was_saved(
    site: Served, sign_in: SignIn, what: str
) -> None:
    case = CASES[what]
    await prepared(site)
    page = await sign_in("admin")
    await page.goto(f"{site.url}/{case.page}")
    main = page.get_by_role("main")
    for name in case.presses:
        await main.get_by_role("button", name=name, exact=True).click()
    dialog = page.get_by_role("dialog", name=case.dialog, exact=True)
    field = dialog.get_by_label(re.compile(f"^{case.field}"))
    if case.field == "Delivers to":
        await field.select_option(label=case.value)
    else:
        await field.fill(case.value)
    await page.route("**/v1/**", late)
    await dialog.get_by_role("button", name=case.button, exact=True).click()
    await expect(dialog).to_be_hidden()
    assert case.value in await main.inner_text()

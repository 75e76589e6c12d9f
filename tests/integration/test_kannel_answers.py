"""What a Kannel may say at the wrong time, or without end: by a stand-in for its sendsms."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.ports import on_port
from tests.served import CUSTOMER, SALES, Served, served
from tests.support import eventually

PUBLIC = "https://box.example.org"


class Sendsms:
    """Takes messages while `open`, and calls back with receipts."""

    def __init__(self) -> None:
        self.open = self.endless = False
        self.read = 0
        self.asking: list[str] = []

    async def take(self, request: Request) -> Response:
        """As Kannel answers."""
        if self.endless:
            return StreamingResponse(self._endless(), 202)
        if not self.open:
            return PlainTextResponse("Temporal failure, try again later.", 503)
        self.asking.append(request.headers["x-kannel-dlr-url"])
        return PlainTextResponse("0: Accepted for delivery", 202)

    async def _endless(self) -> AsyncIterator[bytes]:
        while True:
            self.read += 65536
            yield bytes(65536)
            await asyncio.sleep(0)

    async def tells(self, site: Served, sending: int, state: int) -> int:
        """A receipt of what was taken, `state` as Kannel's %d; how it is answered."""
        fill = {"%%": "%", "%d": str(state), "%A": ""}
        url = re.sub("%.", lambda found: fill[found[0]], self.asking[sending])
        return (await site.http.get(url.removeprefix(PUBLIC))).status_code


@pytest.fixture
async def sendsms() -> AsyncIterator[tuple[Sendsms, str]]:
    """It, and where it answers."""
    here = Sendsms()
    async with on_port(Starlette(routes=[Route("/sms", here.take, methods=["POST"])])) as port:
        yield here, f"http://127.0.0.1:{port}/sms"


@pytest.fixture
async def site(engine_url: str, prefix: str, sendsms: tuple[Sendsms, str]) -> AsyncIterator[Served]:
    """A node whose Sales number leaves by it."""
    async with served(
        engine_url,
        prefix,
        public_url=PUBLIC,
        kannel_url=sendsms[1],
        kannel_username="u",
        kannel_password="p",
    ) as site:
        given = {"carrier": "kannel"}
        answer = await site.call("admin", "PATCH", f"/v1/admin/numbers/{SALES}", given)
        assert answer.is_success, answer.text
        yield site


async def written(site: Served) -> tuple[str, int]:
    """A message of the admin's."""
    body = {"from": SALES, "to": CUSTOMER, "text": "hello"}
    answer = await site.call("admin", "POST", "/v1/inboxes/sales/compose", body)
    assert answer.is_success, answer.text
    return answer.json()["conv"], answer.json()["n"]


async def state(site: Served, conv: str, n: int) -> str:
    """What became of it."""
    found = await site.get("admin", f"/v1/conversations/{conv}?n=100")
    return str(next(item for item in found["messages"] if item["n"] == n)["state"])


async def comes_to(site: Served, conv: str, n: int, wanted: str) -> None:
    """Wait for the state."""
    for _ in range(1000):
        if await state(site, conv, n) == wanted:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"it never was {wanted}")


async def test_a_late_receipt_of_what_failed_ends_no_later_sending(
    site: Served, sendsms: tuple[Sendsms, str]
) -> None:
    """Kannel brings what was not taken again, in any order: nothing may be lost by that."""
    here = sendsms[0]
    here.open = True
    conv, n = await written(site)
    await comes_to(site, conv, n, "sent")
    assert await here.tells(site, 0, 16) == 200
    await comes_to(site, conv, n, "failed")
    here.open = False
    assert (await site.act("admin", conv, "retry", n=n)).is_success
    for late in (8, 4, 16, 2):
        assert await here.tells(site, 0, late) == 200
        assert await state(site, conv, n) == "queued", late
    here.open = True
    await comes_to(site, conv, n, "sent")
    assert len(here.asking) == 2, "it left once more"
    assert await here.tells(site, 0, 2) == 200
    assert await state(site, conv, n) == "sent"
    assert await here.tells(site, 1, 2) == 200
    assert await state(site, conv, n) == "failed"
    assert await here.tells(site, 1, 1) == 200
    assert await state(site, conv, n) == "delivered"


async def test_a_receipt_for_an_inbox_that_is_gone_is_not_to_come_again(
    site: Served, sendsms: tuple[Sendsms, str]
) -> None:
    here = sendsms[0]
    here.open = True
    await comes_to(site, *await written(site), "sent")
    here.asking.append(here.asking[0].replace("sales.", "nowhere."))
    assert await here.tells(site, 1, 1) == 200


async def test_an_answer_without_an_end_is_not_read_to_it(
    site: Served, sendsms: tuple[Sendsms, str]
) -> None:
    here = sendsms[0]
    here.endless = True
    conv, n = await written(site)
    await comes_to(site, conv, n, "sent")
    checked = await site.call("admin", "POST", "/v1/admin/carriers/kannel/check")
    assert checked.json()["ok"] is False
    read = here.read
    assert read < 20_000_000
    await eventually(lambda: here.read == read)


async def test_a_secret_goes_to_no_other_server_than_it_was_given_for(
    site: Served, sendsms: tuple[Sendsms, str]
) -> None:
    """An admin who does not know it could read it there."""
    config = {"url": "http://127.0.0.1:9/sms", "username": "u"}
    new = {"id": "gw", "kind": "kannel", "name": "Gateway", "config": config, "secret": "s"}
    assert (await site.call("admin", "POST", "/v1/admin/carriers", new)).status_code == 201
    path, elsewhere = "/v1/admin/carriers/gw", {"config": {**config, "url": sendsms[1]}}
    refused = await site.call("admin", "PATCH", path, elsewhere)
    assert refused.status_code == 400 and "give the secret again" in refused.json()["detail"]
    beside = {"config": {**config, "url": "http://127.0.0.1:9/other", "smsc_id": "a"}}
    for given in (beside, {**elsewhere, "secret": "t"}):
        assert (await site.call("admin", "PATCH", path, given)).is_success, given

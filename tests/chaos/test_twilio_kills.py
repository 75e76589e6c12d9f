"""A server that is killed between Twilio's acceptance of messages and our note of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.chaos.processes import Server, serving
from tests.integration.twilio_vendor import PUBLIC, SID, TOKEN, Vendor, listening
from tests.served import SALES

SETTINGS: dict[str, Any] = {
    "public_url": PUBLIC,
    "twilio_account_sid": SID,
    "twilio_auth_token": TOKEN,
    "outbox_lease_s": 4,
}


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    """Twilio's stand-in."""
    async with listening() as vendor:
        yield vendor


class Desk:
    """What a person does, over HTTP, at a server process."""

    def __init__(self, server: Server, token: str) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self.http = httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=10)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request that succeeds."""
        answer = await self.http.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def answers(self, text: str) -> list[str]:
        """Every conversation is taken and answered; returns them."""
        convs = [row["id"] for row in (await self.call("GET", "/v1/conversations"))["items"]]
        for conv in convs:
            await self.call("POST", f"/v1/conversations/{conv}/assign")
            await self.call("POST", f"/v1/conversations/{conv}/reply", {"text": text})
        return convs

    async def states(self, convs: list[str]) -> set[str]:
        """The last replies'."""
        threads = [await self.call("GET", f"/v1/conversations/{conv}") for conv in convs]
        lines = [[m for m in thread["messages"] if m["kind"] == "replied"] for thread in threads]
        return {str(replies[-1]["state"]) for replies in lines}

    async def come_to(self, convs: list[str], state: str) -> None:
        """Wait until all of the last replies have this state."""
        deadline = asyncio.get_running_loop().time() + 30
        while (found := await self.states(convs)) != {state}:
            assert asyncio.get_running_loop().time() < deadline, f"{found}, not {state}"
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("receipts", [False, True], ids=("by-looking", "by-their-receipts"))
async def test_a_server_killed_before_it_noted_what_was_accepted_sends_nothing_twice(
    tmp_path: Path, vendor: Vendor, receipts: bool
) -> None:
    customers = [f"+1416555012{i}" for i in range(8)]
    async with serving(tmp_path / "data", twilio_url=vendor.url, **SETTINGS) as server:
        vendor.port = server.port
        desk = Desk(server, await server.token())
        async with desk.http:
            number = {"inbox": "sales", "carrier": "twilio"}
            await desk.call("PUT", f"/v1/admin/numbers/{SALES}", number)
            for customer in customers:
                await vendor.brings("hello", to=SALES, customer=customer)
            vendor.answers.clear()
            convs = await desk.answers("yes")
            made = list(await vendor.has(len(customers)))
            await server.kill()
            vendor.answers.set()
            await server.start()
            if receipts:
                for message in made:
                    assert (await vendor.tells(message, "delivered")).status_code == 200
            await desk.come_to(convs, "delivered" if receipts else "sent")
            await asyncio.sleep(5.0)  # whatever was leased would be due again by now
            assert vendor.messages == made, "exactly one for each at the vendor"
            assert sorted(message["to"] for message in made) == customers
            assert vendor.asked.count("POST") == len(customers)
            if not receipts:
                assert vendor.asked.count("GET") == len(customers), "found, not guessed"
                for message in made:
                    assert (await vendor.tells(message, "delivered")).status_code == 200
            assert await desk.states(convs) == {"delivered"}

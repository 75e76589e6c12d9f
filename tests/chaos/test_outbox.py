"""A message that waits to be sent again, and a server that is killed meanwhile."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from tests.chaos.processes import Server, serving
from tests.served import CUSTOMER, SALES

FAILURES = 4


class Desk:
    """An admin's requests, each to the server as it runs now."""

    def __init__(self, server: Server, token: str) -> None:
        self.server, self.token = server, token

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request that succeeds."""
        headers = {"authorization": f"Bearer {self.token}"}
        async with httpx2.AsyncClient(base_url=self.server.url, timeout=5) as http:
            answer = await http.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def phone(self) -> list[str]:
        """Texts on the customer's phone."""
        found = await self.ask("GET", f"/v1/loopback/outbound?to={quote(CUSTOMER)}")
        return [item["text"] for item in found["items"]]


async def test_a_message_that_is_to_be_sent_again_leaves_on_time_after_a_kill(
    tmp_path: Path,
) -> None:
    """Server and engine are killed while it waits; it leaves once, and is not forgotten."""
    async with serving(tmp_path / "data") as server:
        desk = Desk(server, await server.token())
        busy = {"to": CUSTOMER, "count": FAILURES, "permanent": False, "reason": "busy"}
        await desk.ask("POST", "/v1/loopback/failures", busy)
        sent_at = time.monotonic()
        body = {"from": SALES, "to": CUSTOMER, "text": "patience"}
        place = await desk.ask("POST", "/v1/inboxes/sales/compose", body)
        await asyncio.sleep(2.5)  # after two or three of four attempts, between two of them
        assert await desk.phone() == []
        await server.kill()
        await server.start()
        for _ in range(300):
            if await desk.phone():
                break
            await asyncio.sleep(0.1)
        waited_s = time.monotonic() - sent_at
        # Pauses of 0.5, 1, 2 and 4 s, each spread over its half, and a sweep's second each.
        assert 3.7 < waited_s < 11.5 + 4
        await asyncio.sleep(1.5)
        assert await desk.phone() == ["patience"]
        found = await desk.ask("GET", f"/v1/conversations/{place['conv']}")
        assert found["messages"][-1]["state"] == "delivered"

"""Customers write, a webhook's receiver fails now and then, and the server is killed meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2

from tests.chaos.processes import Server, serving
from tests.integration.hooks_harness import receiving
from tests.served import SALES
from tests.support import eventually

CUSTOMERS, EACH, KILLS = 6, 25, 3
SETTINGS: dict[str, Any] = {
    "webhooks_private": "true",
    "webhooks_first_pause_s": 0.05,
    "webhooks_longest_pause_s": 0.5,
    "webhooks_timeout_s": 0.5,
    "webhooks_sweep_s": 0.5,
}


async def post(server: Server, token: str, path: str, body: dict[str, Any]) -> httpx2.Response:
    """A request, sent again until the server answers; what it does twice it does once."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=5) as http:
        while True:
            try:
                answer = await http.post(
                    path, json=body, headers={"authorization": f"Bearer {token}"}
                )
            except httpx2.HTTPError:
                answer = None
            if answer is not None and answer.status_code < 500:
                assert answer.is_success, answer.text
                return answer
            await asyncio.sleep(0.05)


async def test_kills_lose_no_event_and_spoil_no_order(tmp_path: Path) -> None:
    rng = random.Random(3)
    async with receiving() as receiver, serving(tmp_path / "data", **SETTINGS) as server:
        receiver.takes_s = 0.06  # so that turns are under way when the server dies
        receiver.decide = lambda _: rng.choice([204, 204, 204, 500])
        token = await server.token()
        await post(
            server,
            token,
            "/v1/admin/webhooks",
            {"url": receiver.url, "events": ["message.received"]},
        )

        async def write(customer: int) -> None:
            for i in range(EACH):
                said = {"from": f"+1416555{3000 + customer}", "to": SALES, "text": str(i)}
                await post(server, token, "/v1/loopback/inbound", {**said, "id": f"{customer}-{i}"})
                await asyncio.sleep(rng.uniform(0, 0.15))

        async with asyncio.TaskGroup() as group:
            for customer in range(CUSTOMERS):
                group.create_task(write(customer))
            for _ in range(KILLS):
                await asyncio.sleep(rng.uniform(0.1, 0.8))
                await server.kill()
                await server.start()

        def distinct() -> int:
            return len({told.id for told in receiver.accepted})

        await eventually(lambda: distinct() == CUSTOMERS * EACH, timeout_s=30, what="everything")
        texts: dict[str, list[int]] = {}
        counts: Counter[str] = Counter()
        for told in receiver.accepted:
            counts[told.id] += 1
            if counts[told.id] == 1:
                customer = told.body["conversation"]["customer"]
                texts.setdefault(customer, []).append(int(told.body["message"]["text"]))
        assert len(texts) == CUSTOMERS
        assert all(found == list(range(EACH)) for found in texts.values()), texts
        again = sum(count - 1 for count in counts.values())
        print(f"{distinct()} events, {len(receiver.requests)} requests, {again} doubled by kills")
        assert again <= KILLS * 24, "more than one turn of one inbox per kill"

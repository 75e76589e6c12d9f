"""The signed webhook carrier, both ways, on a real node and against a real receiving server."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from batonbox_server.carriers.signature import BadSignature, sign, verify
from tests.ports import on_port
from tests.served import CUSTOMER, SALES, Served, served
from tests.support import eventually

SECRET = b"a secret of thirty-two bytes, ok"
SETTING = "whsec_" + base64.b64encode(SECRET).decode()


class Gateway:
    """A carrier's server: verifies every signature, answers with `plan`, then with 200.

    Messages with a text of `busy_for` are answered with 503.
    """

    def __init__(self) -> None:
        self.plan: list[int] = []
        self.busy_for: set[str] = set()
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.attempts = 0
        self.url = ""

    async def take(self, request: Request) -> Response:
        body = await request.body()
        try:
            name = verify(SECRET, headers=request.headers, body=body, now_s=time.time())
        except BadSignature as error:
            return Response(str(error), status_code=401)
        self.attempts += 1
        if self.plan:
            return Response(status_code=self.plan.pop(0))
        message = json.loads(body)
        if message["text"] in self.busy_for:
            return Response(status_code=503)
        self.taken.append((name, message))
        return JSONResponse({"id": f"gw-{len(self.taken)}"})


@asynccontextmanager
async def listening() -> AsyncIterator[Gateway]:
    """The gateway on a free port."""
    gateway = Gateway()
    app = Starlette(routes=[Route("/out", gateway.take, methods=["POST"])])
    async with on_port(app) as port:
        gateway.url = f"http://127.0.0.1:{port}/out"
        yield gateway


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """A carrier's server."""
    async with listening() as gateway:
        yield gateway


@asynccontextmanager
async def bound(
    engine_url: str, prefix: str, gateway: Gateway, **settings: Any
) -> AsyncIterator[Served]:
    """A node whose Sales number is bound to the webhook carrier."""
    given: dict[str, Any] = {"webhook_secret": SETTING, "webhook_url": gateway.url, **settings}
    async with served(engine_url, prefix, **given) as site:
        body = {"inbox": "sales", "carrier": "webhook"}
        answer = await site.call("admin", "PUT", f"/v1/admin/numbers/{SALES}", body)
        assert answer.status_code == 200, answer.text
        yield site


@pytest.fixture
async def site(engine_url: str, prefix: str, gateway: Gateway) -> AsyncIterator[Served]:
    """A node whose Sales number is bound to the webhook carrier."""
    async with bound(engine_url, prefix, gateway) as site:
        yield site


async def post(
    site: Served, path: str, body: dict[str, Any], *, key: str = "m1", **changed: str
) -> httpx2.Response:
    """A signed POST; `changed` replaces headers after signing, "" takes them away."""
    raw = json.dumps(body).encode()
    headers = sign(SECRET, message_id=key, timestamp_s=int(time.time()), body=raw)
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    return await site.http.post(
        path, content=raw, headers={name: value for name, value in headers.items() if value}
    )


def inbound(text: str = "hello", **more: str) -> dict[str, Any]:
    """A customer's message."""
    return {"from": CUSTOMER, "to": SALES, "text": text, **more}


async def state_of(site: Served, conv: str) -> tuple[str, int]:
    """The last reply's delivery state, and its number."""
    found = (await site.get("admin", f"/v1/conversations/{conv}"))["messages"]
    last = [m for m in found if m["kind"] == "replied"][-1]
    return last["state"], last["n"]


async def until_state(site: Served, conv: str, state: str) -> int:
    """Poll until the last reply has the state; returns its number."""
    for _ in range(1000):
        found, n = await state_of(site, conv)
        if found == state:
            return n
        await asyncio.sleep(0.01)
    raise AssertionError(f"the reply is {found}, never became {state}")


async def replied(site: Served) -> str:
    """A conversation in which agent1 has just replied."""
    conv = str((await post(site, "/v1/webhook/inbound", inbound())).json()["conv"])
    for verb, body in (("assign", {}), ("reply", {"text": "yes"})):
        answer = await site.act("agent1", conv, verb, **body)
        assert answer.is_success, answer.text
    return conv


async def test_a_message_comes_in_once_per_provider_id(site: Served) -> None:
    first = await post(site, "/v1/webhook/inbound", inbound(id="p1"), key="w1")
    again = await post(site, "/v1/webhook/inbound", inbound(id="p1"), key="w2")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["duplicate"] is True
    assert again.json()["n"] == first.json()["n"]
    # Without an id of its own the webhook-id names the message.
    third = await post(site, "/v1/webhook/inbound", inbound("other"), key="w3")
    fourth = await post(site, "/v1/webhook/inbound", inbound("other"), key="w3")
    assert (third.status_code, fourth.status_code) == (201, 200)
    thread = await site.get("admin", f"/v1/conversations/{first.json()['conv']}")
    assert [m["body"]["text"] for m in thread["messages"]] == ["hello", "other"]


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook_signature": "v1," + base64.b64encode(b"0" * 32).decode()},
        {"webhook_signature": "v2,whatever"},
        {"webhook_signature": ""},
        {"webhook_id": "another"},
        {"webhook_id": ""},
        {"webhook_timestamp": ""},
        {"webhook_timestamp": "yesterday"},
        {"webhook_timestamp": str(int(time.time()) - 3600)},
        {"webhook_timestamp": str(int(time.time()) + 3600)},
    ],
    ids=(
        "wrong-signature",
        "unknown-scheme",
        "no-signature",
        "another-id",
        "no-id",
        "no-timestamp",
        "odd-timestamp",
        "an-hour-ago",
        "in-an-hour",
    ),
)
async def test_what_is_not_signed_right_is_refused(site: Served, changed: dict[str, str]) -> None:
    for path, body in (
        ("/v1/webhook/inbound", inbound()),
        ("/v1/webhook/receipts", {"id": "gw-1", "state": "delivered"}),
    ):
        answer = await post(site, path, body, **changed)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert (await site.get("admin", "/v1/conversations"))["items"] == []


@pytest.mark.parametrize(
    ("secret", "forged"), [(b"another", None), (SECRET, "forged")], ids=("secret", "body")
)
async def test_another_secret_or_another_body_delivers_nothing(
    site: Served, secret: bytes, forged: str | None
) -> None:
    raw = json.dumps(inbound()).encode()
    headers = sign(secret, message_id="m", timestamp_s=int(time.time()), body=raw)
    content = json.dumps(inbound(forged)).encode() if forged else raw
    answer = await site.http.post("/v1/webhook/inbound", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert (await site.get("admin", "/v1/conversations"))["items"] == []


async def test_an_old_message_signed_right_is_refused(site: Served) -> None:
    raw = json.dumps(inbound()).encode()
    headers = sign(SECRET, message_id="m", timestamp_s=int(time.time()) - 600, body=raw)
    answer = await site.http.post("/v1/webhook/inbound", content=raw, headers=headers)
    assert answer.status_code == 401
    assert "5 minutes" in answer.json()["detail"]


async def test_a_reply_leaves_signed_and_is_retried_until_it_is_taken(
    site: Served, gateway: Gateway
) -> None:
    gateway.plan = [503, 429]
    conv = await replied(site)
    n = await until_state(site, conv, "sent")
    assert gateway.attempts == 3
    [(name, message)] = gateway.taken
    assert name == message["id"] == f"{conv}:{n}"
    assert (message["from"], message["to"], message["text"]) == (SALES, CUSTOMER, "yes")


async def test_a_permanent_refusal_fails_and_a_person_may_retry(
    site: Served, gateway: Gateway
) -> None:
    gateway.plan = [400]
    conv = await replied(site)
    n = await until_state(site, conv, "failed")
    assert (gateway.attempts, gateway.taken) == (1, [])
    answer = await site.act("agent1", conv, "retry", n=n)
    assert answer.is_success, answer.text
    await until_state(site, conv, "sent")
    assert len(gateway.taken) == 1


@pytest.mark.parametrize("order", [("sent", "delivered"), ("delivered", "sent")])
async def test_receipts_may_come_in_any_order(site: Served, order: tuple[str, str]) -> None:
    conv = await replied(site)
    await until_state(site, conv, "sent")
    for number, state in enumerate(order):
        answer = await post(
            site, "/v1/webhook/receipts", {"id": "gw-1", "state": state}, key=f"r{number}"
        )
        assert answer.status_code == 200, answer.text
    assert (await state_of(site, conv))[0] == "delivered"


async def test_a_receipt_that_ends_a_message_lets_the_next_one_leave(
    engine_url: str, prefix: str, gateway: Gateway
) -> None:
    """Failed, sent again by a person, and delivered after all while it waits for a retry."""
    async with bound(engine_url, prefix, gateway, outbox_sweep_s=600.0) as site:
        conv = await replied(site)
        n = await until_state(site, conv, "sent")
        await post(site, "/v1/webhook/receipts", {"id": "gw-1", "state": "failed"}, key="r1")
        gateway.busy_for.add("yes")
        assert (await site.act("agent1", conv, "retry", n=n)).is_success
        await eventually(lambda: gateway.attempts > 1)
        assert (await site.act("agent1", conv, "reply", text="and more")).is_success
        await post(site, "/v1/webhook/receipts", {"id": "gw-1", "state": "delivered"}, key="r2")
        await eventually(lambda: len(gateway.taken) == 2)
        assert [message["text"] for _, message in gateway.taken] == ["yes", "and more"]


async def test_a_receipt_for_nothing_of_ours_is_to_be_sent_again(site: Served) -> None:
    answer = await post(site, "/v1/webhook/receipts", {"id": "gw-9", "state": "delivered"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    odd = await post(site, "/v1/webhook/receipts", {"id": "gw-9", "state": "read"})
    assert (odd.status_code, odd.json()["code"]) == (400, "bad_request")

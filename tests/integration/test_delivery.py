"""What becomes of messages: why they failed, when they leave, and what a carrier is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

from batonbox_server.carriers.port import Accepted, Outbound, SendFailed
from batonbox_server.domain.model import Delivery
from batonbox_server.service.accounts import BuiltIn
from batonbox_server.store.account_port import AccountRecord
from batonbox_server.store.keys import Keys
from batonbox_server.store.pace import EnginePace
from tests.integration.store_harness import Box
from tests.served import CUSTOMER, SALES, SUPPORT, Served, served
from tests.support import eventually


class Lab:
    """A carrier in this process, for all nodes: keeps what it is handed, and answers as told."""

    name = "lab"
    answers_keywords = False

    def __init__(self, *, rate_per_s: float = 0.0) -> None:
        self.rate_per_s = rate_per_s
        self.handed: list[tuple[float, Outbound]] = []
        self.answer: Callable[[Outbound], SendFailed | None] = lambda _: None
        self.silent: set[str] = set()

    @property
    def texts(self) -> list[str]:
        """Of what was handed over, in that order."""
        return [message.text for _, message in self.handed]

    async def send(self, message: Outbound) -> Accepted:
        """See the port."""
        self.handed.append((time.monotonic(), message))
        if message.text in self.silent:
            self.silent.discard(message.text)
            await asyncio.sleep(60)
        failed = self.answer(message)
        if failed is not None:
            raise failed
        return Accepted(f"lab-{len(self.handed)}")

    def media_headers(self, url: str) -> dict[str, str]:  # noqa: ARG002
        """See the port."""
        return {}


@asynccontextmanager
async def by_lab(engine_url: str, prefix: str, lab: Lab, **settings: Any) -> AsyncIterator[Served]:
    """A node that sends by the lab."""
    async with served(engine_url, prefix, **settings) as site:
        record = AccountRecord(id="lab", kind="lab", name="Lab", created_ms=0, config={})
        site.node.carriers.accounts.built_in["lab"] = BuiltIn(record, lab)  # type: ignore[index]
        answer = await site.call("admin", "PATCH", f"/v1/admin/numbers/{SALES}", {"carrier": "lab"})
        assert answer.is_success, answer.text
        yield site


async def writes(site: Served, text: str, *, to: str = CUSTOMER) -> tuple[str, int]:
    """An admin writes; returns the message's place."""
    body = {"from": SALES, "to": to, "text": text}
    answer = await site.call("admin", "POST", "/v1/inboxes/sales/compose", body)
    assert answer.is_success, answer.text
    return answer.json()["conv"], answer.json()["n"]


async def message(site: Served, conv: str, n: int) -> Any:
    """As history has it."""
    found = await site.get("admin", f"/v1/conversations/{conv}?n=100")
    return next(item for item in found["messages"] if item["n"] == n)


async def comes_to(site: Served, conv: str, n: int, state: str) -> Any:
    """The message, once it is in this state."""
    for _ in range(1000):
        found = await message(site, conv, n)
        if found["state"] == state:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"{found} never was {state}")


async def test_a_failed_message_says_why_until_it_is_sent_again(
    engine_url: str, prefix: str
) -> None:
    lab = Lab()
    lab.answer = lambda _: SendFailed("unknown subscriber", permanent=True)
    async with by_lab(engine_url, prefix, lab) as site:
        conv, n = await writes(site, "hello")
        assert (await comes_to(site, conv, n, "failed"))["reason"] == "unknown subscriber"
        async with await site.sdk("admin") as client:
            line = (await (await client.conversation(conv)).history())[-1]
            assert (line.state, line.reason) == ("failed", "unknown subscriber")
        lab.answer = lambda _: None
        assert (await site.act("admin", conv, "retry", n=n)).is_success
        assert "reason" not in await comes_to(site, conv, n, "sent")
        assert lab.texts == ["hello", "hello"]


async def test_a_failed_message_that_arrives_after_all_says_no_more_why(box: Box) -> None:
    """Receipts come in any order; none takes a message back."""
    applied = await box.reply()

    async def shown() -> list[Any]:
        thread = await box.store.history(conv=applied.conv, actor="ann")
        line = thread.messages[-1]
        return [line[6], *line[8:]]

    for state, reason, want in (
        (Delivery.FAILED, "no route", ["failed", "no route"]),
        (Delivery.SENT, "", ["failed", "no route"]),
        (Delivery.FAILED, "other", ["failed", "no route"]),
        (Delivery.DELIVERED, "", ["delivered"]),
        (Delivery.FAILED, "late", ["delivered"]),
        (Delivery.SENT, "", ["delivered"]),
    ):
        await box.store.sent(
            conv=applied.conv, n=applied.n, state=state, carrier_id="c1", reason=reason
        )
        assert await shown() == want, (state, reason)


async def test_a_carrier_that_says_nothing_holds_up_no_other(engine_url: str, prefix: str) -> None:
    """It gets no more than its share of what a node sends at a time."""
    lab = Lab()
    many = [f"+1416555{number:04}" for number in range(400, 412)]
    lab.silent = set(many)
    async with by_lab(engine_url, prefix, lab) as site:
        site.node.outbox._concurrency = 8
        site.node.outbox._sender._per_account = 6
        await asyncio.gather(*(writes(site, customer, to=customer) for customer in many))
        await eventually(lambda: len(lab.texts) >= 6, what="what the silent one may have")
        body = {"from": SUPPORT, "to": CUSTOMER, "text": "by another"}
        answer = await site.call("admin", "POST", "/v1/inboxes/support/compose", body)
        assert answer.is_success, answer.text
        assert await site.phone_with(1) == ["by another"]
        assert len(lab.texts) == 6


async def test_a_carrier_is_told_of_an_attempt_that_had_no_end(
    engine_url: str, prefix: str
) -> None:
    """It was handed the message and said nothing: it may have it, and is to look before."""
    lab = Lab()
    lab.silent = {"hello"}
    told: list[bool] = []
    async with by_lab(engine_url, prefix, lab, outbox_lease_s=1.0, outbox_attempts=4) as site:
        conv, n = await writes(site, "hello")
        lab.answer = lambda _: SendFailed("busy", permanent=False) if len(lab.handed) < 3 else None
        await comes_to(site, conv, n, "sent")
        told = [handed.unsettled for _, handed in lab.handed]
        assert told == [False, True, True]  # it stays so: the first may still arrive
        assert {handed.id for _, handed in lab.handed} == {f"{conv}:{n}"}
        # What the carrier finds may be another message of the same words.
        taken = lab.handed[-1][1].taken
        assert not await taken("lab-3")
        assert not await taken("nobody's")
        await comes_to(site, *await writes(site, "other"), "sent")
        assert await taken("lab-4")


async def test_what_was_given_up_without_an_answer_is_looked_for_when_sent_again(
    box: Box,
) -> None:
    await box.reply()
    (item,) = await box.lease(lease_ms=0)
    assert not item.unsettled
    (item,) = await box.lease()  # the lease before it ended by itself
    assert (item.attempt, item.unsettled) == (2, True)
    await box.store.sent(conv=item.conv, n=item.n, state=Delivery.FAILED, reason="gave up")
    await box.store.retry(conv=item.conv, actor="ann", cid="r", n=item.n)
    (item,) = await box.lease()
    assert (item.attempt, item.unsettled) == (1, True)
    await box.again(item)
    (item,) = await box.lease()
    await box.ended(item)
    await box.reply()
    (item,) = await box.lease()
    assert (item.attempt, item.unsettled) == (1, False)
    await box.store.postpone(conv=item.conv, n=item.n, turn=item.turn, after_ms=0, how="free")
    (item,) = await box.lease()
    assert (item.attempt, item.free, item.unsettled) == (1, 1, False)


async def test_a_carrier_that_asks_for_a_pause_gets_it(engine_url: str, prefix: str) -> None:
    lab = Lab()
    lab.answer = lambda _: (
        SendFailed("HTTP 429", permanent=False, retry_after_s=2.0) if len(lab.handed) < 2 else None
    )
    async with by_lab(engine_url, prefix, lab) as site:
        await comes_to(site, *await writes(site, "hello"), "sent")
        (first, _), (second, _) = lab.handed
        assert 2.0 <= second - first < 4.0


async def test_two_nodes_together_keep_an_accounts_pace_and_wait_without_failing(
    engine_url: str, prefix: str
) -> None:
    """More than may be waited for on a node: those that come later count no attempt for it."""
    lab, count = Lab(rate_per_s=20.0), 100
    settings = {"outbox_attempts": 1, "outbox_lease_s": 30.0}
    async with (
        by_lab(engine_url, prefix, lab, **settings) as east,
        by_lab(engine_url, prefix, lab, **settings) as west,
    ):
        began = time.monotonic()
        customers = [f"+1416555{number:04}" for number in range(300, 300 + count)]
        await asyncio.gather(
            *(writes((east, west)[i % 2], f"to {c}", to=c) for i, c in enumerate(customers))
        )
        await eventually(lambda: len(lab.handed) >= count, timeout_s=30)
        ended = time.monotonic()
    assert sorted(lab.texts) == sorted(f"to {c}" for c in customers)
    times = sorted(at for at, _ in lab.handed)
    assert count / 20.0 - 1 < times[-1] - times[0]
    assert ended - began < count / 20.0 + 6
    # Never more in any second than a second's worth; a little for timers that are late.
    for first, last in pairwise(times[::20]):
        assert last - first > 0.6
    assert not any(handed.unsettled for _, handed in lab.handed)


async def test_another_rate_holds_from_the_next_message_on(client: Any, prefix: str) -> None:
    """Whoever typed a rate that is far too low need not wait for the places that it gave out."""
    pace = EnginePace(client, keys=Keys(prefix))
    slow = [
        await pace.take(account="a", rate_per_s=0.01, most_ms=2000, again=False) for _ in range(3)
    ]
    assert [slot.taken for slot in slow] == [True, False, False]
    assert slow[2].wait_ms > 150_000
    for turn in range(5):
        slot = await pace.take(account="a", rate_per_s=10, most_ms=2000, again=turn == 0)
        assert slot.taken
        assert 100 * turn < slot.wait_ms <= 100 * (turn + 1)

"""The outbox on a real engine: who gets a message to send, and when the next one may go."""

from __future__ import annotations

import asyncio

import pytest

from batonbox_server.domain.model import Delivery
from batonbox_server.store.redis import RedisStore
from batonbox_server.store.topology import engine_of
from tests.integration.store_harness import BODY, Box


async def test_outbox_is_leased_to_one(box: Box, engine_url: str) -> None:
    """Two nodes never get the same message at once; a settled one never comes back."""
    other = engine_of(engine_url)
    await other.connect()
    second = RedisStore(other, keys=box.keys)
    for i in range(30):
        await box.reply(f"+1555{i:04d}")
    leases = await asyncio.gather(
        *(
            store.lease_outbox(inbox="box", lease_ms=60_000, n=4)
            for store in (box.store, second) * 6
        )
    )
    await other.aclose()
    convs = [item.conv for lease in leases for item in lease]
    assert len(convs) == len(set(convs)) == 30
    first = next(item for lease in leases for item in lease)
    await box.again(first)
    (second_try,) = await box.lease()
    assert (second_try.conv, second_try.n, second_try.attempt) == (first.conv, first.n, 2)
    await box.again(first)  # by who held it before: it is no longer theirs to give back
    assert await box.lease() == []
    await box.ended(second_try)
    await box.again(second_try)
    assert await box.lease() == []


async def test_one_conversations_messages_are_leased_in_their_order(box: Box) -> None:
    """The head holds up its own line while it is leased, postponed or retried, and no other's."""
    numbers = [(await box.reply()).n for _ in range(4)]
    conv = (await box.reply("+15550201")).conv
    head, other = await box.lease()
    assert (head.n, other.conv) == (numbers[0], conv)
    await box.ended(other)
    # Leased, then postponed, then leased again, then failed for good: only now the next.
    await box.again(head, after_ms=60_000)
    assert await box.lease() == []
    await box.again(head)
    (head,) = await box.lease()
    assert (head.n, head.attempt) == (numbers[0], 2)
    await box.ended(head, Delivery.FAILED)
    (head,) = await box.lease()
    assert (head.n, head.attempt) == (numbers[1], 1)
    # A person sends the failed one again: after those which wait already.
    await box.store.retry(conv=head.conv, actor="ann", cid="retry", n=numbers[0])
    left = [head.n]
    while True:
        settled = await box.ended(head)
        due = await box.lease()
        assert len(due) == (settled.waiting > 0)
        if not due:
            break
        head = due[0]
        left.append(head.n)
    assert left == [*numbers[1:], numbers[0]]
    assert head.attempt == 1


async def test_a_lease_that_ended_goes_to_the_next_and_its_late_holder_disturbs_nobody(
    box: Box,
) -> None:
    """The node that held the head died or stood still."""
    numbers = [(await box.reply()).n for _ in range(3)]
    (late,) = await box.lease(lease_ms=0)
    (again,) = await box.lease()
    assert (late.n, again.n, again.attempt) == (numbers[0], numbers[0], 2)
    await box.ended(again)
    (following,) = await box.lease()
    assert following.n == numbers[1]
    await box.ended(late)
    await box.again(late)
    assert await box.lease() == []


async def test_a_long_line_takes_one_place_of_a_lease(box: Box) -> None:
    """A thousand messages for one customer, or one that always fails: others get their turn."""
    for _ in range(40):
        await box.reply()
    others = [(await box.reply(f"+1555030{i}")).conv for i in range(5)]
    served: list[str] = []
    for _ in range(8):
        for item in await box.lease(n=2):
            served.append(item.conv)
            await box.again(item)
    assert set(others) <= set(served)


async def test_a_receipt_that_ends_a_waiting_message_lets_the_next_go(box: Box) -> None:
    """The carrier failed it, a person sent it again, and then it was delivered after all."""
    first = await box.reply()
    (item,) = await box.lease()
    await box.store.sent(conv=item.conv, n=item.n, state=Delivery.SENT, carrier_id="c1")
    await box.ended(item, Delivery.FAILED)
    await box.store.retry(conv=first.conv, actor="ann", cid="retry", n=first.n)
    second = await box.reply()
    settled = await box.store.receipt(
        inbox="box", carrier_id="c1", state=Delivery.DELIVERED, reason=""
    )
    assert settled is not None
    assert settled.waiting == 1
    (item,) = await box.lease()
    assert item.n == second.n


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (["sent", "delivered"], "delivered"),
        (["delivered", "sent"], "delivered"),
        (["delivered", "failed"], "delivered"),
        (["failed", "sent"], "failed"),
        (["sent", "failed", "delivered"], "delivered"),
    ],
)
async def test_receipts_come_in_any_order(box: Box, told: list[str], shown: str) -> None:
    """A message's state only moves forward, and its ownership is untouched."""
    conv = await box.receive()
    own = await box.assign(conv)
    sent = await box.store.reply(
        conv=conv, actor="ann", cid="r", own_tok=own.own_tok, body=BODY, preview="x"
    )
    for state in told:
        await box.store.sent(conv=conv, n=sent.n, state=Delivery(state), carrier_id="pm1")
    thread = await box.store.history(conv=conv, actor="ann")
    assert thread.messages[-1][6] == shown
    assert thread.messages[-1][7] == {"text": "hello"}
    assert thread.row["own_tok"] == own.own_tok
    assert not await box.store.receipt(
        inbox="box", carrier_id="nobody", state=Delivery.SENT, reason=""
    )

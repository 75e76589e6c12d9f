"""Messages to customers: in their order, by two nodes, to phones that are told to fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.served import CUSTOMER, Served, served

OTHER = "+14165550143"
# So long that whatever arrives was not found by a sweep.
NEVER_S = 600.0


@asynccontextmanager
async def two_nodes(engine_url: str, prefix: str, *, sweep_s: float) -> AsyncIterator[list[Served]]:
    """East and west."""
    async with (
        served(engine_url, prefix, outbox_sweep_s=sweep_s) as east,
        served(engine_url, prefix, outbox_sweep_s=sweep_s) as west,
    ):
        yield [east, west]


async def claimed(site: Served, customer: str = CUSTOMER) -> str:
    """A conversation of agent1's."""
    conv = await site.texts("hello", customer=customer)
    assert (await site.act("agent1", conv, "assign")).is_success
    return conv


async def reply(site: Served, conv: str, text: str) -> int:
    """Agent1 writes; returns the message's number."""
    answer = await site.act("agent1", conv, "reply", text=text)
    assert answer.is_success, answer.text
    return int(answer.json()["n"])


async def tell_to_fail(
    site: Served, *, count: int, permanent: bool = False, customer: str = CUSTOMER
) -> None:
    """The next `count` deliveries to this phone fail."""
    body = {"to": customer, "count": count, "permanent": permanent, "reason": "told to"}
    answer = await site.call("admin", "POST", "/v1/loopback/failures", body)
    assert answer.is_success, answer.text


async def states(site: Served, conv: str) -> dict[int, str]:
    """What became of each message sent."""
    thread = await site.get("admin", f"/v1/conversations/{conv}?n=100")
    return {m["n"]: m["state"] for m in thread["messages"] if m["kind"] == "replied"}


async def test_what_waits_for_a_retry_is_not_overtaken_and_holds_up_nobody_else(
    engine_url: str, prefix: str
) -> None:
    """The replies come by both nodes in turn; the phone shows them in the order they came in."""
    async with two_nodes(engine_url, prefix, sweep_s=0.1) as sites:
        stuck, free = await claimed(sites[0]), await claimed(sites[1], OTHER)
        await tell_to_fail(sites[0], count=1_000)
        for number in range(6):
            await reply(sites[number % 2], stuck, f"stuck {number}")
            await reply(sites[number % 2], free, f"free {number}")
        assert await sites[0].phone_with(6, OTHER) == [f"free {number}" for number in range(6)]
        assert await sites[0].phone() == []
        await tell_to_fail(sites[0], count=0)
        assert await sites[0].phone_with(6) == [f"stuck {number}" for number in range(6)]


async def test_the_next_leaves_when_the_one_before_it_has_ended(
    engine_url: str, prefix: str
) -> None:
    """By whichever node, without a sweep; and one sent again by a person comes last."""
    async with two_nodes(engine_url, prefix, sweep_s=NEVER_S) as sites:
        conv = await claimed(sites[0])
        await tell_to_fail(sites[0], count=1, permanent=True)
        numbers = [await reply(sites[n % 2], conv, f"reply {n}") for n in range(30)]
        want = [f"reply {number}" for number in range(1, 30)]
        assert await sites[1].phone_with(29) == want
        assert (await states(sites[0], conv))[numbers[0]] == "failed"
        answer = await sites[1].act("agent1", conv, "retry", n=numbers[0])
        assert answer.is_success, answer.text
        assert await sites[1].phone_with(30) == [*want, "reply 0"]


async def test_a_full_node_sends_on_as_soon_as_there_is_room(engine_url: str, prefix: str) -> None:
    """More conversations than may be in flight at once: none waits for a sweep."""
    async with served(engine_url, prefix, outbox_sweep_s=NEVER_S) as site:
        site.node.outbox._concurrency = 1
        customers = [f"+1416555{number:04}" for number in range(300, 312)]
        convs = [await claimed(site, customer) for customer in customers]
        await asyncio.gather(*(reply(site, conv, "hello") for conv in convs))
        for customer in customers:
            assert await site.phone_with(1, customer) == ["hello"]

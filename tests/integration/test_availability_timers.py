"""What time does to conversations: owners who are gone or silent, and what is put aside."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from batonbox_server.domain.model import InboxOptions, Role
from batonbox_server.engine import EmbeddedEngine
from batonbox_server.store.connect import EngineClient
from tests.integration.availability_harness import (
    AWAY,
    MINUTE_MS,
    RELEASE,
    act,
    away,
    gone,
    holder,
    owned,
    rules,
)
from tests.integration.store_harness import BODY, Box, refused

# By time


async def test_gone_owners_lose_what_waits_and_keep_the_rest(box: Box) -> None:
    waits, answered, aside = [await owned(box, customer=f"+1555030{i}") for i in range(3)]
    now = await box.passes(0)
    await act(box, "reply", answered, "ann", body=BODY, preview="x")
    await act(box, "snooze", aside, "ann", until_ms=now + 60 * MINUTE_MS)
    await gone(box, "ann", now)
    await box.passes(5 * MINUTE_MS - 1000)
    assert await box.store.due(inbox="box") == 0
    assert await holder(box, waits) == ("assigned", "ann")
    await box.passes(2000)
    await box.store.due(inbox="box")
    assert await holder(box, waits) == ("unassigned", "")
    assert (await box.kinds(waits))[-1] == ("returned", "", "offline")
    assert await holder(box, answered) == ("assigned", "ann")
    assert await holder(box, aside) == ("assigned", "ann")


async def test_what_a_gone_owner_is_handed_waits_as_long_again(box: Box) -> None:
    conv = await owned(box, "bob")
    now = await box.passes(0)
    await gone(box, "ann", now)
    await box.passes(30 * MINUTE_MS)
    handed = await act(box, "transfer", conv, "bob", to="ann")
    assert handed.warnings == ("offline",)
    await box.store.due(inbox="box")
    assert await holder(box, conv) == ("assigned", "ann")
    await box.passes(5 * MINUTE_MS)
    await box.store.due(inbox="box")
    assert await holder(box, conv) == ("unassigned", "")


async def test_without_the_rule_nobody_loses_anything_by_being_gone(box: Box) -> None:
    conv = await owned(box)
    await rules(box, offline_min=0)
    await gone(box, "ann", await box.passes(0))
    await box.passes(600 * MINUTE_MS)
    await box.receive()
    await box.store.due(inbox="box")
    assert await holder(box, conv) == ("assigned", "ann")


async def test_silent_owners_lose_what_waits(box: Box) -> None:
    silent, notes, answers = [await owned(box, customer=f"+1555031{i}") for i in range(3)]
    await rules(box, silent_min=10)
    await box.passes(6 * MINUTE_MS)
    await act(box, "note", notes, "ann", body=BODY)
    await act(box, "note", silent, "bob", body=BODY)
    await act(box, "reply", answers, "ann", body=BODY, preview="x")
    await box.passes(5 * MINUTE_MS)
    await box.store.due(inbox="box")
    assert await holder(box, silent) == ("unassigned", "")
    assert (await box.kinds(silent))[-1] == ("returned", "", "silent")
    assert await holder(box, notes) == ("assigned", "ann")
    await box.passes(60 * MINUTE_MS)
    await box.store.due(inbox="box")
    assert await holder(box, notes) == ("unassigned", "")
    assert await holder(box, answers) == ("assigned", "ann")
    row = await box.row(silent)
    assert row["waiting_since"] > 0, "the customer waits since they wrote"


async def test_a_shorter_rule_acts_at_once(box: Box) -> None:
    conv = await owned(box)
    await rules(box, silent_min=60, at=1)
    await box.passes(20 * MINUTE_MS)
    await box.store.due(inbox="box")
    assert await holder(box, conv) == ("assigned", "ann")
    await rules(box, silent_min=15, at=3)
    stale = await box.store.set_options(inbox="box", options=InboxOptions(), at=2)
    assert stale == 3
    await box.store.due(inbox="box")
    assert await holder(box, conv) == ("unassigned", "")
    info = await box.store.inbox_info(inbox="box")
    assert info is not None
    assert info.options == InboxOptions(silent_min=15)


async def test_batches_of_a_hundred_until_nothing_is_left(box: Box) -> None:
    convs = [await owned(box, customer=f"+1555{i:04d}") for i in range(230)]
    await rules(box, silent_min=1)
    await box.passes(2 * MINUTE_MS)
    assert [await box.store.due(inbox="box") for _ in range(4)] == [130, 30, 0, 0]
    for conv in convs:
        assert await holder(box, conv) == ("unassigned", "")


async def test_several_nodes_look_at_once_and_each_is_returned_once(
    box: Box, engine_url: str
) -> None:
    convs = [await owned(box, customer=f"+1555{i:04d}") for i in range(20)]
    await rules(box, silent_min=1)
    await box.passes(2 * MINUTE_MS)
    await asyncio.gather(*(box.store.due(inbox="box") for _ in range(8)))
    for conv in convs:
        told = [kind for kind, _, _ in await box.kinds(conv)]
        assert told == ["received", "assigned", "returned"]


async def test_a_look_at_nothing_writes_nothing(box: Box) -> None:
    await owned(box)
    written: list[str] = []
    box.store.on_write(written.append)
    seq = await box.seq()
    assert await box.store.due(inbox="box") == 0
    assert await box.store.due(inbox="no-such-inbox") == 0
    assert (written, await box.seq()) == ([], seq)


async def test_what_was_owned_before_there_were_the_indexes_is_put_in(box: Box) -> None:
    """An inbox as the version before left it: rows and lists, and nothing of what owners owe."""
    convs = [await owned(box, customer=f"+1555{i:04d}") for i in range(101)]
    user = "ann"
    await box.client.execute("DEL", *(f"{box.log}:{k}" for k in ("ow", f"ow:{user}", "gone")))
    for conv in convs:
        fields = ("acted_ms", "snoozed_until", "opted_out")
        await box.client.execute("HDEL", f"{box.log}:c:{conv}", *fields)
    await box.client.execute("HSET", f"{box.log}:meta", "schema", 1)
    await gone(box, user, await box.passes(0))
    first = convs[0]
    assert await box.store.due(inbox="box") == 1
    await act(box, "note", first, "bob", body=BODY)  # changed between two batches
    assert await box.store.due(inbox="box") == 0
    assert int(await box.client.execute("ZCARD", f"{box.log}:ow")) == 101
    await box.passes(5 * MINUTE_MS)
    while await box.store.due(inbox="box"):
        pass
    assert {await holder(box, conv) for conv in convs} == {("unassigned", "")}
    assert (await box.kinds(first))[-1] == ("returned", "", "offline")


# Putting aside


async def test_what_is_put_aside_wakes_in_its_time(box: Box) -> None:
    conv = await owned(box)
    now = await box.passes(0)
    token = (await box.row(conv))["own_tok"]
    aside = await act(box, "snooze", conv, "ann", until_ms=now + 30 * MINUTE_MS)
    assert aside.own_tok == token
    assert (await box.row(conv))["snoozed_until"] == now + 30 * MINUTE_MS
    assert (await box.store.marks(inbox="box", user="ann")).green == []
    await box.passes(29 * MINUTE_MS)
    await box.store.due(inbox="box")
    assert (await box.row(conv))["snoozed_until"] > 0
    await box.passes(MINUTE_MS)
    await box.store.due(inbox="box")
    row = await box.row(conv)
    assert (row["status"], row["assignee"], row["snoozed_until"]) == ("assigned", "ann", 0)
    assert (await box.kinds(conv))[-1] == ("woken", "", "due")
    assert (await box.store.marks(inbox="box", user="ann")).green == [conv]


async def test_it_wakes_after_a_restart_of_the_engine(tmp_path: Path) -> None:
    """On the engine's own clock: nothing of a timer is in any process's memory."""
    engine = EmbeddedEngine(tmp_path / "data")
    for start in range(2):
        await engine.start()
        client = EngineClient(engine.url)
        await client.connect()
        box = Box(client, "r:")
        if start == 0:
            await box.open()
            conv = await owned(box)
            until_ms = round(1000 * time.time()) + 1_000
            await act(box, "snooze", conv, "ann", until_ms=until_ms)
        else:
            await asyncio.sleep(max(0.0, until_ms / 1000 - time.time() + 0.01))
            await box.store.due(inbox="box")
            assert (await box.kinds(conv))[-1] == ("woken", "", "due")
        await client.aclose()
        await engine.stop()


async def test_a_customers_message_wakes_it(box: Box) -> None:
    conv = await owned(box)
    now = await box.passes(0)
    await act(box, "snooze", conv, "ann", until_ms=now + MINUTE_MS)
    await box.receive()
    row = await box.row(conv)
    assert (row["assignee"], row["snoozed_until"]) == ("ann", 0)
    assert (await box.store.marks(inbox="box", user="ann")).green == [conv]
    await box.passes(2 * MINUTE_MS)
    await box.store.due(inbox="box")
    assert [kind for kind, _, _ in await box.kinds(conv)][-2:] == ["snoozed", "received"]


async def test_only_its_owner_puts_it_aside_and_wakes_it(box: Box) -> None:
    conv = await owned(box)
    until_ms = await box.passes(0) + MINUTE_MS
    for actor in ("bob", "adm"):
        call = act(box, "snooze", conv, actor, until_ms=until_ms)
        assert (await refused(call)).slug == "not_owner"
        assert (await refused(act(box, "wake", conv, actor))).slug == "not_owner"
    stale = act(box, "snooze", conv, "ann", until_ms=until_ms, own_tok="1.00000000")
    assert (await refused(stale)).slug == "stale_token"
    await act(box, "snooze", conv, "ann", until_ms=until_ms)
    woken = await act(box, "wake", conv, "ann")
    assert not woken.noop
    assert (await act(box, "wake", conv, "ann")).noop
    assert (await box.kinds(conv))[-1] == ("woken", "ann", "owner")


@pytest.mark.parametrize("ahead_ms", [-1, 367 * 24 * 60 * MINUTE_MS])
async def test_until_when_is_ahead_and_not_for_ever(box: Box, ahead_ms: int) -> None:
    conv = await owned(box)
    now = await box.passes(0)
    error = await refused(act(box, "snooze", conv, "ann", until_ms=now + ahead_ms))
    assert error.slug == "bad_request"
    assert "366 days" in error.message


async def test_a_claim_is_undone_after_it_was_put_aside(box: Box) -> None:
    conv = await owned(box)
    now = await box.passes(0)
    await act(box, "snooze", conv, "ann", until_ms=now + MINUTE_MS)
    await act(box, "undo", conv, "ann")
    row = await box.row(conv)
    assert (row["status"], row["snoozed_until"]) == ("unassigned", 0)
    await box.passes(2 * MINUTE_MS)
    await box.store.due(inbox="box")
    assert (await box.kinds(conv))[-1][0] == "undone"


async def test_what_wakes_for_somebody_away_or_gone_is_everybodys(box: Box) -> None:
    await box.store.join(inbox="box", user="cy", role=Role.MEMBER, joined=True)
    released = await owned(box, "ann", "+15550320")
    gone_for_long = await owned(box, "bob", "+15550321")
    only_away = await owned(box, "cy", "+15550322")
    now = await box.passes(0)
    for conv, user in ((released, "ann"), (gone_for_long, "bob"), (only_away, "cy")):
        await act(box, "snooze", conv, user, until_ms=now + 30 * MINUTE_MS)
    await away(box, "ann", RELEASE)
    await gone(box, "bob", now + MINUTE_MS)
    await away(box, "cy", AWAY)
    await box.passes(30 * MINUTE_MS)
    await box.store.due(inbox="box")
    for conv in (released, gone_for_long):
        assert await holder(box, conv) == ("unassigned", "")
        assert (await box.kinds(conv))[-1] == ("returned", "", "woken")
    assert await holder(box, only_away) == ("assigned", "cy")

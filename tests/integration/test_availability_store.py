"""Availability in the store: to whom messages and conversations go, and to whom they do not."""

from __future__ import annotations

import pytest

from batonbox_server.domain.model import Availability, ReopenTo, Role
from tests.integration.availability_harness import (
    AWAY,
    BACK,
    MINUTE_MS,
    RELEASE,
    act,
    away,
    blue,
    gone,
    holder,
    owned,
    rules,
)
from tests.integration.store_harness import BODY, Box, refused

# A customer's message, and who is away


async def test_away_with_release_the_next_message_is_everybodys(box: Box) -> None:
    conv = await owned(box)
    await away(box, "ann", RELEASE)
    assert await holder(box, conv) == ("assigned", "ann"), "not before the customer writes"
    await box.receive()
    assert await holder(box, conv) == ("unassigned", "")
    assert await box.kinds(conv) == [
        ("received", "", ""),
        ("assigned", "ann", ""),
        ("returned", "", "away"),
        ("received", "", ""),
    ]
    assert [await blue(box, user) for user in ("ann", "bob")] == [1, 1]


async def test_away_without_release_keeps_what_one_has(box: Box) -> None:
    conv = await owned(box)
    await away(box, "ann", AWAY)
    await box.receive()
    assert await holder(box, conv) == ("assigned", "ann")


async def test_back_again_one_keeps_it_and_a_late_word_changes_nothing(box: Box) -> None:
    conv = await owned(box)
    await away(box, "ann", RELEASE, at=7)
    await away(box, "ann", BACK, at=9)
    late = await box.store.set_away(inbox="box", user="ann", mode=RELEASE, at=8)
    assert late == 9
    await box.receive()
    assert await holder(box, conv) == ("assigned", "ann")
    info = await box.store.inbox_info(inbox="box")
    assert info is not None
    assert info.away == {"ann": BACK}


async def test_gone_for_long_the_next_message_is_everybodys(box: Box) -> None:
    conv = await owned(box)
    now = await box.passes(0)
    await gone(box, "ann", now)
    await box.passes(4 * MINUTE_MS)
    await box.receive()
    assert await holder(box, conv) == ("assigned", "ann"), "within the five minutes"
    await act(box, "note", conv, "ann", body=BODY)
    await box.passes(4 * MINUTE_MS)
    await box.receive()
    assert await holder(box, conv) == ("assigned", "ann"), "they did something meanwhile"
    await box.passes(MINUTE_MS)
    await box.receive()
    assert await holder(box, conv) == ("unassigned", "")
    assert ("returned", "", "offline") in await box.kinds(conv)


async def test_a_reconnection_that_is_told_late_counts_by_its_version(box: Box) -> None:
    conv = await owned(box)
    now = await box.passes(9 * MINUTE_MS)
    await gone(box, "ann", 0, version=4)
    told = await box.store.set_offline(
        inbox="box", user="ann", version=3, since_ms=now - 9 * MINUTE_MS
    )
    assert told == 4
    await box.receive()
    assert await box.store.due(inbox="box") == 0
    assert await holder(box, conv) == ("assigned", "ann")


# Out of Done


async def test_a_reopened_conversation_is_everybodys_unless_the_inbox_says_else(box: Box) -> None:
    conv = await owned(box)
    await act(box, "done", conv, "ann", seen=None)
    await box.receive()
    assert await holder(box, conv) == ("unassigned", "")


async def test_it_goes_back_to_its_last_owner_where_the_inbox_says_so(box: Box) -> None:
    await rules(box, reopen_to=ReopenTo.LAST_ASSIGNEE)
    conv = await owned(box)
    await act(box, "done", conv, "ann", seen=None)
    await box.receive()
    assert await holder(box, conv) == ("assigned", "ann")
    marks = await box.store.marks(inbox="box", user="ann")
    assert (marks.green, marks.blue) == ([conv], 0)
    await act(box, "reply", conv, "ann", body=BODY, preview="x")


@pytest.mark.parametrize("why", ["away", "release", "gone", "left", "stands beside"])
async def test_but_not_to_somebody_who_is_not_there(box: Box, why: str) -> None:
    await rules(box, reopen_to=ReopenTo.LAST_ASSIGNEE)
    owner = "adm" if why == "stands beside" else "ann"
    conv = await owned(box, owner)
    await act(box, "done", conv, owner, seen=None)
    if why in {"away", "release"}:
        await away(box, owner, Availability(why))
    elif why == "gone":
        await gone(box, owner, await box.passes(0))
    else:
        role = Role.ADMIN if owner == "adm" else None
        await box.store.remove(inbox="box", user=owner, role=role)
    await box.receive()
    assert await holder(box, conv) == ("unassigned", "")
    assert await blue(box, "bob") == 1


# Handing over


@pytest.mark.parametrize(
    ("mode", "is_gone", "warnings"),
    [
        (BACK, False, ()),
        (AWAY, False, ("away",)),
        (RELEASE, True, ("away",)),
        (BACK, True, ("offline",)),
    ],
)
async def test_handing_over_to_somebody_who_is_not_there_is_told(
    box: Box, mode: Availability, is_gone: bool, warnings: tuple[str, ...]
) -> None:
    await away(box, "bob", mode)
    await gone(box, "bob", await box.passes(0) if is_gone else 0)
    moved = await act(box, "transfer", await owned(box), "ann", to="bob")
    given = await act(box, "assign", await box.receive("+15550399"), "adm", to="bob")
    assert (moved.warnings, given.warnings) == (warnings, warnings)
    conv = await owned(box, customer="+15550398")
    token = (await box.row(conv))["own_tok"]
    again = [
        await box.store.transfer(conv=conv, actor="ann", cid="same", own_tok=token, to="bob")
        for _ in range(2)
    ]
    assert again[0] == again[1]
    assert again[0].warnings == warnings


async def test_nobody_is_warned_about_themselves(box: Box) -> None:
    await away(box, "ann", AWAY)
    assert (await box.assign(await box.receive())).warnings == ()


async def test_members_hand_out_where_the_inbox_lets_them(box: Box) -> None:
    conv = await box.receive()
    assert (await refused(act(box, "assign", conv, "ann", to="bob"))).slug == "forbidden"
    await rules(box, members_may_dispatch=True)
    given = await act(box, "assign", conv, "ann", to="bob")
    assert not given.noop
    assert await holder(box, conv) == ("assigned", "bob")
    assert (await box.store.marks(inbox="box", user="bob")).green == [conv]
    other = await owned(box, "bob", "+15550340")
    assert (await refused(act(box, "assign", other, "ann", to="ann"))).slug == "conflict"
    await act(box, "done", conv, "bob", seen=None)
    assert (await refused(act(box, "assign", conv, "ann", to="bob"))).slug == "forbidden"
    waits = await box.receive("+15550341")
    beside = act(box, "assign", waits, "ann", to="adm")
    assert (await refused(beside)).slug == "target_not_member"


# Nobody owns what they cannot see


async def test_no_way_leads_to_somebody_who_left(box: Box) -> None:
    """Assigning, handing out, transferring, undoing, reopening and waking, after a removal."""
    await rules(box, members_may_dispatch=True, reopen_to=ReopenTo.LAST_ASSIGNEE)
    convs = [await box.receive(f"+1555035{i}") for i in range(6)]
    assigned, moved, undone, finished, aside, fresh = convs
    await box.assign(moved, "bob")
    await box.assign(undone)
    handed = await act(box, "transfer", undone, "ann", to="bob")
    await box.assign(finished)
    await act(box, "done", finished, "ann", seen=None)
    await box.assign(aside)
    await act(box, "snooze", aside, "ann", until_ms=await box.passes(0) + MINUTE_MS)
    await box.assign(fresh)
    await box.store.remove(inbox="box", user="ann", role=None)
    for actor, given in (("bob", {"to": "ann"}), ("adm", {"to": "ann"})):
        error = await refused(act(box, "assign", assigned, actor, **given))
        assert error.slug == "target_not_member"
    error = await refused(act(box, "transfer", moved, "bob", to="ann"))
    assert error.slug == "target_not_member"
    error = await refused(act(box, "undo", undone, "ann", own_tok=handed.own_tok))
    assert error.slug == "forbidden"
    await box.receive("+15550353")
    await box.passes(2 * MINUTE_MS)
    while await box.store.due(inbox="box"):
        pass
    owners = {conv: await holder(box, conv) for conv in convs}
    assert owners == {
        assigned: ("unassigned", ""),
        moved: ("assigned", "bob"),
        undone: ("assigned", "bob"),
        finished: ("unassigned", ""),
        aside: ("unassigned", ""),
        fresh: ("unassigned", ""),
    }
    page = await box.store.page(inbox="box", actor="bob", view="others")
    assert page.rows == []


async def test_a_timer_that_comes_before_the_removal_job_gives_it_to_nobody(box: Box) -> None:
    """More than one batch is held: what wakes or is silent of the rest is returned as a removal."""
    convs = [await owned(box, customer=f"+1555{i:04d}") for i in range(120)]
    now = await box.passes(0)
    await act(box, "snooze", convs[-1], "ann", until_ms=now + MINUTE_MS)
    removed = await box.store.remove(inbox="box", user="ann", role=None)
    assert removed.remaining == 20
    await box.passes(2 * MINUTE_MS)
    await rules(box, silent_min=1)
    while await box.store.due(inbox="box"):
        pass
    for conv in convs:
        assert await holder(box, conv) == ("unassigned", "")
        assert (await box.kinds(conv))[-1] == ("returned", "", "membership")


# The end


async def test_an_erased_inbox_leaves_nothing_of_it(box: Box) -> None:
    """Whatever people are, and though somebody who was removed still held something."""
    convs = [await owned(box, customer=f"+1555{i:04d}") for i in range(130)]
    till = await box.passes(0) + MINUTE_MS
    await act(box, "snooze", convs[0], "ann", until_ms=till)
    await box.store.assign(conv=await box.receive(), actor="bob", cid="bobs")
    await rules(box, silent_min=1)
    await away(box, "bob", RELEASE)
    await gone(box, "ann", till)
    await gone(box, "bob", till)
    assert (await box.store.remove(inbox="box", user="ann", role=None)).remaining == 30
    while not await box.store.delete_inbox(inbox="box"):
        pass
    keys = {key.decode() for key in await box.client.execute("KEYS", f"{box.log}:*")}
    # Stored replies and the messages that are known end by themselves.
    assert {key for key in keys if ":i:" not in key and ":p:" not in key} == set()

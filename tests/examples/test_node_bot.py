"""The bot in another language: against a real server, and against one whose frames we write."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from batonbox._wire import Close, Op
from batonbox.testing import LocalServer
from tests.examples.running import EXAMPLES, Desk, running
from tests.sdk.scripted import Peer, Script, event, row, scripted, snap
from tests.support import eventually

NAME = "node_bot.mjs"
POSITION = ["sales", "list", "e1", 5, "tip5"]


async def test_it_answers_each_message_once_whatever_breaks(site: LocalServer) -> None:
    desk = Desk(site, "node", "+14165550117", "nodebot")
    customers = [desk.customer() for _ in range(10)]
    earlier = desk.customer()
    convs = [earlier.says("0")]
    async with running(NAME, url=site.url, token=site.token("nodebot")) as bot:
        await earlier.hears(answer("0"))
        for number in range(3):
            convs += [customer.says(str(number)) for customer in customers]
            site.drop_links()
        site.restart()
        earlier.says("1")
        await earlier.hears(answer("1"))
        for customer in customers:
            await customer.hears(answer("2"), timeout_s=20)

        def all_done() -> bool:
            rows = [site.api("GET", f"/v1/conversations/{conv}") for conv in {*convs}]
            return {row["status"] for row in rows} == {"done"}

        await eventually(all_done)
        assert await bot.ends(signal.SIGTERM) == 0
    assert [customer.phone() for customer in customers] == [[answer(n) for n in "012"]] * 10
    assert earlier.phone() == [answer("0"), answer("1")]


def answer(text: str) -> str:
    return f'Thank you for "{text}". We will call you.'


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    async with scripted() as made:
        yield made


async def begun(script: Script, *positions: list[Any]) -> Peer:
    """A connection that is signed in and has subscribed at these positions, and nothing else."""
    peer = await script.next()
    assert peer.codec == "batonbox.v1.json"
    assert (await peer.welcome(commands_in_flight=16, reconnect_ms=1))[1] == "t"
    asked = await peer.expect(Op.SUB)
    assert asked[2] == (list(positions) or [["sales", "list"]])
    return peer


def waiting(seq: int, **changes: Any) -> list[Any]:
    return event(seq, body={"text": "Hello"}, status="unassigned", preview="Hello", **changes)


@pytest.mark.parametrize("how", ["cut", "drain"])
async def test_after_a_cut_it_resumes_and_sends_what_was_not_answered_with_the_same_id(
    script: Script, how: str
) -> None:
    async with running(NAME, url=script.url, token="t"):
        peer = await begun(script)
        await peer.send(snap(4), waiting(5))
        assigned = await peer.expect(Op.CMD)
        assert assigned[2:] == ["assign", {"conv": "sales.c1", "cid": assigned[3]["cid"]}]
        await peer.send([int(Op.PING)])
        assert await peer.expect(Op.PONG) == [Op.PONG, [["sales", 5]]]
        if how == "cut":
            peer.cut()
        else:
            await peer.close(Close.DRAIN)
        peer = await script.next()
        await peer.welcome(commands_in_flight=16)
        assert await peer.expect(Op.CMD) == assigned
        assert (await peer.expect(Op.SUB))[2] == [POSITION]
        await peer.ok(assigned, own_tok="5.cccccccc")
        replied = await peer.expect(Op.CMD)
        assert replied[2] == "reply"
        assert replied[3]["own_tok"] == "5.cccccccc"
        assert replied[3]["cid"] != assigned[3]["cid"]
        await peer.ok(replied, n=2)
        done = await peer.expect(Op.CMD)
        assert (done[2], done[3]["seen"]) == ("done", "1.bbbbbbbb")
        await peer.ok(done)
        await peer.send(waiting(5), waiting(6, conv="sales.c2"))  # what was applied is no news
        assert (await peer.expect(Op.CMD))[3]["conv"] == "sales.c2"
        await peer.send([int(Op.PING)])
        await peer.expect(Op.PONG)
        assert peer.nothing_more()


async def test_another_run_gives_the_same_commands_the_same_ids(script: Script) -> None:
    said = []
    for begins in (waiting(5), snap(5, row(rev=5, status="unassigned", waiting_since=1))):
        async with running(NAME, url=script.url, token="t"):
            peer = await begun(script)
            await peer.send(*([snap(4), begins] if begins[0] == Op.EV else [begins]))
            said.append((await peer.expect(Op.CMD))[2:])
    assert said[0] == said[1]


async def test_it_moves_when_it_is_asked_to_and_is_closed_well(script: Script) -> None:
    async with running(NAME, url=script.url, token="t"):
        peer = await begun(script)
        await peer.send(snap(5), [int(Op.GOAWAY), 1, 1000])
        next_one = await begun(script, POSITION)
        assert await peer.closed == 1000
        await next_one.send(waiting(6))
        await next_one.expect(Op.CMD)


async def test_a_gap_is_read_again_and_a_reset_is_too(script: Script) -> None:
    async with running(NAME, url=script.url, token="t") as bot:
        peer = await begun(script)
        await peer.send(snap(5), waiting(8))
        assert (await peer.expect(Op.SUB))[2] == [["sales", "list"]]
        await peer.send(waiting(9), snap(9))
        await peer.send([int(Op.RESET), "sales", "fork", []], waiting(10))
        await peer.send(snap(3, row(rev=3, status="unassigned", waiting_since=1), epoch="e2"))
        assert (await peer.expect(Op.CMD))[2] == "assign"
        await bot.prints("sales begins anew: fork")
        peer.cut()
        peer = await script.next()
        await peer.welcome(commands_in_flight=16)
        await peer.expect(Op.CMD)
        assert (await peer.expect(Op.SUB))[2] == [["sales", "list", "e2", 3, "tip3"]]


async def test_it_leaves_what_others_have_and_repeats_what_helps(script: Script) -> None:
    async with running(NAME, url=script.url, token="t") as bot:
        peer = await begun(script)
        await peer.send(
            snap(1),
            event(2, status="assigned", assignee="agent2", body={"text": "for them"}),
            waiting(3),
        )
        assigned = await peer.expect(Op.CMD)
        await peer.send([int(Op.ERR), assigned[1], 130, "unavailable", "Later.", 1, None])
        assert await peer.expect(Op.CMD) == assigned
        await peer.send([int(Op.ERR), assigned[1], 120, "conflict", "Somebody has it.", None, {}])
        await bot.prints("sales.c1 Somebody has it")
        await peer.send([int(Op.PING)])
        await peer.expect(Op.PONG)
        assert peer.nothing_more()


async def test_who_waits_behind_the_snapshot_is_read_page_by_page(script: Script) -> None:
    async with running(NAME, url=script.url, token="t"):
        peer = await begun(script)
        await peer.send([*snap(1), "10"])
        asked = await peer.expect(Op.PAGE)
        assert asked[2:] == ["sales", "open", "10", 200]
        peer.cut()
        peer = await script.next()
        await peer.welcome(commands_in_flight=16)
        assert await peer.expect(Op.PAGE) == asked
        await peer.expect(Op.SUB)
        rows = [row("sales.c9", status="unassigned", waiting_since=1)]
        await peer.ok(asked, rows=rows, next="5")
        assert (await peer.expect(Op.PAGE))[2:] == ["sales", "open", "5", 200]
        assert (await peer.expect(Op.CMD))[3]["conv"] == "sales.c9"


async def test_no_more_are_under_way_than_the_server_allows(script: Script) -> None:
    async with running(NAME, url=script.url, token="t"):
        peer = await script.next()
        await peer.welcome(commands_in_flight=2)
        await peer.expect(Op.SUB)
        rows = [row(f"sales.c{n}", status="unassigned", waiting_since=1) for n in range(3)]
        await peer.send(snap(1, *rows))
        first, _ = [await peer.expect(Op.CMD) for _ in range(2)]
        await peer.send([int(Op.PING)])
        await peer.expect(Op.PONG)
        assert peer.nothing_more()
        await peer.send([int(Op.ERR), first[1], 120, "conflict", "Somebody has it.", None, {}])
        assert (await peer.expect(Op.CMD))[3]["conv"] == "sales.c2"


@pytest.mark.parametrize("code", [Close.REVOKED, Close.UNAUTHORIZED])
async def test_it_stops_where_a_person_has_to_act(script: Script, code: Close) -> None:
    async with running(NAME, url=script.url, token="t") as bot:
        peer = await script.next()
        await peer.expect(Op.HELLO)
        await peer.close(code, "Send a valid token.")
        await bot.prints(f"refused us .{int(code)}.: Send a valid token.")
        assert await bot.ends() == 1


def test_the_numbers_are_those_of_the_protocol() -> None:
    source = (EXAMPLES / NAME).read_text(encoding="utf-8")
    used = "HELLO CMD SUB PONG PAGE WELCOME OK ERR SNAP EV RESET GOAWAY PING UNSUBD ORG"
    for op in map(Op.__getitem__, used.split()):
        assert f"{op.name} = {int(op)}" in source

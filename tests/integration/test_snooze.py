"""Putting aside, and what timers do, as clients of a running server meet it."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from batonbox_server.domain.model import Availability, InboxOptions, inbox_of
from batonbox_server.wire import Op
from tests.integration.socket_harness import Peer, dial
from tests.served import Served, served
from tests.support import eventually


@dataclass
class Desk:
    """A node, another one beside it, and somebody at a websocket of the first."""

    site: Served
    other: Served
    peer: Peer
    ids: int = 0

    async def owned(self) -> dict[str, Any]:
        """A conversation that agent1 has opened; its row."""
        conv = await self.site.texts("hello")
        row = await self.row(conv)
        if row["assignee"] != "agent1":
            await self.post("agent1", conv, "assign", {})
        row = await self.row(conv)
        await self.post("agent1", conv, "seen", {"att": row["att"]})
        return row

    async def row(self, conv: str) -> dict[str, Any]:
        """As HTTP shows it."""
        found = await self.site.call("agent1", "GET", f"/v1/conversations/{conv}")
        return dict(found.json())

    async def post(self, user: str, conv: str, name: str, args: dict[str, Any]) -> Any:
        """A command over HTTP."""
        return await self.site.call(user, "POST", f"/v1/conversations/{conv}/{name}", args)

    async def ask(self, name: str, args: dict[str, Any]) -> list[Any]:
        """A command of agent1's over the websocket; OK or ERR."""
        self.ids += 1
        await self.peer.send([Op.CMD, self.ids, name, {"cid": uuid.uuid4().hex, **args}])

        def answers() -> list[list[Any]]:
            both = (*self.peer.all(Op.OK), *self.peer.all(Op.ERR))
            return [frame for frame in both if frame[1] == self.ids]

        await eventually(answers)
        return answers()[0]

    def notices(self, kind: str, conv: str) -> list[dict[str, Any]]:
        """What agent1 was told personally."""
        return [f[4] for f in self.peer.all(Op.NOTIFY) if (f[1], f[3]) == (kind, conv)]

    def green(self, inbox: str) -> int:
        """The last badge of the inbox; -1 before the first."""
        badges = [frame[3] for frame in self.peer.all(Op.BADGE) if frame[1] == inbox]
        return int(badges[-1]) if badges else -1


@pytest.fixture
async def desk(engine_url: str, prefix: str) -> AsyncIterator[Desk]:
    """The demo organisation on two nodes."""
    async with (
        served(engine_url, prefix) as site,
        served(engine_url, prefix, empty=True) as other,
        AsyncExitStack() as stack,
    ):
        peer = await dial(site)
        stack.push_async_callback(peer.end)
        await peer.send([Op.HELLO, await site.token("agent1"), "test/1"])
        await peer.got(Op.WELCOME)
        yield Desk(site, other, peer)


def soon(ms: int) -> int:
    """A time ahead."""
    return round(1000 * time.time()) + ms


async def test_it_wakes_by_itself_and_its_owner_is_told(desk: Desk) -> None:
    row = await desk.owned()
    conv, inbox = row["id"], inbox_of(row["id"])
    await desk.peer.send([Op.SUB, 1, [[inbox, "list"]]])
    until_ms = soon(1_200)
    answer = await desk.post("agent1", conv, "snooze", {"until_ms": until_ms})
    assert answer.is_success, answer.text
    assert answer.json()["own_tok"] == row["own_tok"]
    await eventually(lambda: desk.green(inbox) == 0)
    # Whichever node looks first.
    await eventually(lambda: desk.notices("woken", conv))
    assert desk.notices("woken", conv) == [{"by": "", "type": "woken", "reason": "due"}]
    await eventually(lambda: desk.green(inbox) == 1)
    events = [f[3] for f in desk.peer.all(Op.EV) if f[3].get("conv") == conv]
    told = [(meta["type"], meta["actor"], meta["row"]["snoozed_until"]) for meta in events]
    assert told[-2:] == [("snoozed", "agent1", until_ms), ("woken", "", 0)]


async def test_the_websocket_takes_the_token_and_a_time_ahead(desk: Desk) -> None:
    row = await desk.owned()
    given = {"conv": row["id"], "until_ms": soon(60_000)}
    assert (await desk.ask("snooze", given))[3] == "bad_request"
    own = {"own_tok": row["own_tok"]}
    late = await desk.ask("snooze", {**given, **own, "until_ms": soon(-60_000)})
    assert (late[3], "366 days" in late[4]) == ("bad_request", True)
    assert (await desk.ask("snooze", {**given, **own}))[0] == Op.OK
    assert (await desk.ask("wake", {"conv": row["id"], **own}))[0] == Op.OK
    noop = await desk.ask("wake", {"conv": row["id"], **own})
    assert noop[2]["noop"] is True


async def test_a_warning_comes_with_the_answer(desk: Desk) -> None:
    await desk.site.node.administration.set_away("agent2", Availability.AWAY)
    row = await desk.owned()
    given = {"conv": row["id"], "to": "agent2", "own_tok": row["own_tok"]}
    assert (await desk.ask("transfer", given))[2]["warnings"] == ["away"]
    conv = await desk.site.texts("hello", customer="+14165550177")
    answer = await desk.post("admin", conv, "assign", {"to": "agent2"})
    assert answer.json()["warnings"] == ["away"]
    mine = await desk.site.texts("hello", customer="+14165550178")
    assert "warnings" not in (await desk.post("agent2", mine, "assign", {})).json()


async def test_who_loses_one_to_the_timer_is_told_why(desk: Desk) -> None:
    """The rule looks back: what has been silent for longer than it says goes at once."""
    row = await desk.owned()
    node, inbox = desk.site.node, inbox_of(row["id"])
    # Two minutes pass on the log's clock.
    await node.client.execute("HINCRBY", f"{node.keys.inbox(inbox)}:meta", "last_ms", 120_000)
    await node.store.set_options(inbox=inbox, options=InboxOptions(silent_min=1), at=2**40)
    await eventually(lambda: desk.notices("taken_from_you", row["id"]))
    (told,) = desk.notices("taken_from_you", row["id"])
    assert told == {"by": "", "type": "returned", "to": "", "reason": "silent"}
    assert (await desk.row(row["id"]))["status"] == "unassigned"

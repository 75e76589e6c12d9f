"""What HTTP refuses, the websocket never shows: both are asked the same and compared, per role."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from batonbox_server.asgi.shapes import message_json, row_json
from batonbox_server.domain.model import Role
from batonbox_server.hub.frames import Published
from batonbox_server.store.directory_port import Inbox, User
from batonbox_server.wire import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, Op
from tests.served import Served, served
from tests.support import eventually

from .socket_harness import Peer, dial

# No name is part of another: a frame that shows anything of an inbox contains its name.
INBOXES: Final = {
    "amber": ("mia", "pat", "rob", "joan"),
    "birch": ("pat", "rob"),
    "coral": ("pat", "joan"),
}
PEOPLE: Final = {
    "mia": Role.MEMBER,  # one inbox
    "pat": Role.MEMBER,  # all of them
    "rob": Role.MEMBER,  # loses amber in the scenarios
    "stan": Role.MEMBER,  # none
    "joan": Role.ADMIN,  # joined two
    "bea": Role.ADMIN,  # joined none
}
ADMIN: Final = "joan"


@dataclass(slots=True)
class Town:
    """Two nodes of one organisation, and a socket of everybody at each."""

    sites: tuple[Served, Served]
    stack: AsyncExitStack
    peers: dict[tuple[str, int], Peer] = field(default_factory=dict)
    asked: int = 0

    @property
    def site(self) -> Served:
        """The first node."""
        return self.sites[0]

    async def peer(self, user: str, at: int) -> Peer:
        """A socket of `user` at a node; MessagePack at the first, JSON at the second."""
        site, codec = self.sites[at], (MSGPACK_SUBPROTOCOL, JSON_SUBPROTOCOL)[at]
        peer = await dial(site, codec)
        self.stack.push_async_callback(peer.end)
        await peer.send([Op.HELLO, await site.token(user), "test/1"])
        await peer.got(Op.ORG, _1="state")
        return peer

    async def ask(self, peer: Peer, op: Op, *more: Any) -> list[Any]:
        """A request's answer, OK or ERR."""
        self.asked += 1
        request = self.asked

        def answers() -> list[Any]:
            both = (*peer.all(Op.OK), *peer.all(Op.ERR))
            return [frame for frame in both if frame[1] == request]

        await peer.send([op, request, *more])
        await eventually(answers)
        return list(answers()[0])

    async def everybody_listens(self) -> None:
        """Everybody asks for every inbox at both nodes, theirs or not."""
        for user in PEOPLE:
            for at in (0, 1):
                peer = self.peers[user, at] = await self.peer(user, at)
                await self.ask(peer, Op.SUB, [[name, "list"] for name in INBOXES])

    async def texts(self, inbox: str, text: str, customer: int = 0) -> str:
        """A customer writes to an inbox, at either node; returns the conversation."""
        site = self.sites[customer % 2]
        return await site.texts(text, to=_number(inbox), customer=f"+1647556{customer:04}")

    async def log(self, inbox: str) -> list[Published]:
        """The inbox's whole log."""
        node = self.site.node
        found = await node.store.range(log=node.keys.inbox(inbox), first=1, last=10**9)
        return [Published.of(entry.prev, entry.frame) for entry in found]

    async def spans(self, user: str, inbox: str) -> list[tuple[int, int]]:
        """From which to which seq the log has the user in the inbox."""
        found: list[tuple[int, int]] = []
        since = -1
        for event in await self.log(inbox):
            if event.meta.get("user") != user:
                continue
            if event.meta["type"] == "member_joined" and since < 0:
                since = event.seq
            elif event.meta["type"] == "member_removed" and not event.meta.get("role"):
                found.append((since, event.seq))
                since = -1
        return [*found, (since, 10**9)] if since >= 0 else found

    async def caught_up(self, user: str, at: int, inbox: str) -> None:
        """Until the socket has the log's last event."""
        last = (await self.log(inbox))[-1].seq
        peer = self.peers[user, at]
        await eventually(lambda: peer.events(inbox) and peer.events(inbox)[-1][0] >= last)


@asynccontextmanager
async def built(engine_url: str, space: str) -> AsyncIterator[Town]:
    settings: dict[str, Any] = {"empty": True}
    async with (
        served(engine_url, space, **settings) as one,
        served(engine_url, space, **settings) as other,
        AsyncExitStack() as stack,
    ):
        administration = one.node.administration
        for user, role in PEOPLE.items():
            await administration.create_user(User(user, user.title(), role))
        for name, members in INBOXES.items():
            await administration.create_inbox(Inbox(name, name, members, (_number(name),)))
        for site in (one, other):  # `texts` of a site asks as the user `admin`
            site._tokens["admin"] = await site.token(ADMIN)
        yield Town((one, other), stack)


@pytest.fixture
async def town(engine_url: str, prefix: str) -> AsyncIterator[Town]:
    async with built(engine_url, prefix) as town:
        yield town


def _number(inbox: str) -> str:
    return f"+1416556{sorted(INBOXES).index(inbox):04}"


async def _busy(town: Town) -> None:
    """Every kind of act, in every inbox, by several people, at both nodes."""
    for place, name in enumerate(INBOXES):
        first, second = (town.sites[place % 2], town.sites[(place + 1) % 2])
        customer = 10 * place
        for more in range(2):
            conv = await town.texts(name, f"{name} text {more}", customer + more)
        conv = await town.texts(name, f"{name} again", customer)
        assert (await first.act("pat", conv, "assign")).is_success
        assert (await second.act("pat", conv, "reply", text=f"{name} reply")).is_success
        mentions = [INBOXES[name][0], "bea"]  # bea did not join: she may see it, and is not told
        note = {"text": f"{name} note", "mentions": mentions}
        assert (await second.act("bea", conv, "note", **note)).is_success
        to = next(user for user in INBOXES[name] if user != "pat")
        handed = await first.act("pat", conv, "transfer", to=to, note=f"{name} handed")
        assert handed.is_success, handed.text
        await town.texts(name, f"{name} more", customer)
        assert (await second.act(to, conv, "return")).is_success
        other = await town.texts(name, f"{name} last", customer + 1)
        assert (await first.act("pat", other, "done")).is_success


# At rest: the same sets


async def _http_view(town: Town, user: str) -> dict[str, Any]:
    site = town.site
    view: dict[str, Any] = {
        "users": (await site.get(user, "/v1/users"))["items"],
        "inboxes": [
            {key: value for key, value in inbox.items() if key != "joined"}
            for inbox in (await site.get(user, "/v1/inboxes"))["items"]
        ],
        "rows": {},
        "messages": {},
        "refused": {},
    }
    for name in INBOXES:
        for list_of in ("open", "done"):
            path = f"/v1/conversations?inbox={name}&view={list_of}&limit=200"
            answer = await site.call(user, "GET", path)
            if not answer.is_success:
                view["refused"][name, list_of] = answer.json()["code"]
                continue
            view["rows"] |= {row["id"]: row for row in answer.json()["items"]}
    for conv in await _everything(town):
        answer = await site.call(user, "GET", f"/v1/conversations/{conv}/messages?limit=200")
        found = answer.json()
        view["messages"][conv] = found["items"] if answer.is_success else found["code"]
    return view


def presence(peer: Peer) -> dict[str, str]:
    """What the connection was told of people, the latest of each."""
    told: dict[str, str] = {}
    for frame in peer.all(Op.PRESENCE):
        told |= frame[1]
    return told


async def _socket_view(town: Town, user: str, at: int) -> dict[str, Any]:
    peer = town.peers[user, at]
    state = peer.all(Op.ORG)[0][2]
    there = presence(peer)
    users = [{**one, "presence": there.get(one["id"], "offline")} for one in state["users"]]
    view: dict[str, Any] = {
        "users": users, "inboxes": state["inboxes"], "rows": {}, "messages": {},
        "refused": {},
    }  # fmt: skip
    for name in INBOXES:
        for list_of in ("open", "done"):
            answer = await town.ask(peer, Op.PAGE, name, list_of, None, 200)
            if answer[0] == Op.ERR:
                view["refused"][name, list_of] = answer[3]
                continue
            view["rows"] |= {row["id"]: row_json(row) for row in answer[2]["rows"]}
    for conv in await _everything(town):
        answer = await town.ask(peer, Op.HISTORY, conv, 0, 200)
        lines = answer[2]["messages"] if answer[0] == Op.OK else []
        shown = [json.loads(json.dumps(message_json(line))) for line in lines]
        view["messages"][conv] = shown if answer[0] == Op.OK else answer[3]
        inbox = conv.partition(".")[0]
        await town.ask(peer, Op.SUB, [[inbox, f"conv:{conv}"]])
    return view


async def _everything(town: Town) -> list[str]:
    """Every conversation there is, by the log."""
    found = {event.meta.get("conv") for name in INBOXES for event in await town.log(name)}
    return sorted(conv for conv in found if conv)


async def test_both_transports_show_the_same_to_everybody(town: Town) -> None:
    await _busy(town)
    await _delivered(town)
    await town.everybody_listens()
    there = dict.fromkeys(PEOPLE, "online")
    await eventually(lambda: all(presence(p) | there == presence(p) for p in town.peers.values()))
    for user in PEOPLE:
        by_http = await _http_view(town, user)
        allowed = sorted(inbox["id"] for inbox in by_http["inboxes"])
        theirs = {name for name, members in INBOXES.items() if user in members}
        assert allowed == sorted(INBOXES if PEOPLE[user] is Role.ADMIN else theirs)
        for at in (0, 1):
            assert await _socket_view(town, user, at) == by_http, (user, at)
            peer = town.peers[user, at]
            # What came unasked or with a subscription is no more than that.
            for snap in peer.all(Op.SNAP):
                assert snap[1] in allowed
                for row in snap[7]:
                    assert row_json(row) == by_http["rows"][row["id"]]
            for conv in peer.all(Op.CONV):
                assert row_json(conv[4]) == by_http["rows"][conv[2]]
            assert {conv[2] for conv in peer.all(Op.CONV)} == by_http["rows"].keys()
            joined = set((await town.site.get(user, "/v1/me"))["joined"])
            assert joined == theirs
            assert {badge[1] for badge in peer.all(Op.BADGE)} <= set(allowed)


async def _delivered(town: Town) -> None:
    """Until every reply has reached its end: nothing changes behind the comparison."""

    async def states() -> set[str]:
        found = set()
        for name in INBOXES:
            for event in await town.log(name):
                if event.meta["type"] == "replied":
                    path = f"/v1/conversations/{event.meta['conv']}/messages"
                    items = (await town.site.get("pat", path))["items"]
                    found |= {item["state"] for item in items if item["state"]}
        return found

    for _ in range(1000):
        if not await states() - {"delivered"}:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"never delivered: {await states()}")


# On the move: no frame beyond what the log allows


def _mentions(frame: list[Any], inbox: str) -> bool:
    return inbox in json.dumps(frame, default=str)


def _answers_own_question(frame: list[Any]) -> bool:
    """It names an inbox because this client named it."""
    return frame[0] in {Op.OK, Op.ERR, Op.UNSUBD} or (frame[0] == Op.RESET and frame[2] == "perm")


async def _keeps_to_the_log(town: Town, user: str, peer: Peer) -> None:
    """Every frame a socket got is of a time at which the log has the user in the inbox."""
    for name in INBOXES:
        spans = await town.spans(user, name)
        for seq, _ in peer.events(name):
            assert any(low <= seq <= high for low, high in spans), (user, name, seq, spans)
        for op, place in ((Op.SNAP, 3), (Op.BADGE, 5)):
            for frame in peer.all(op):
                held = any(low <= frame[place] <= high for low, high in spans)
                assert frame[1] != name or held, (user, frame, spans)
        if not spans:
            shown = [f for f in peer.frames if _mentions(f, name) and not _answers_own_question(f)]
            assert shown == [], (user, name)
    for frame in peer.all(Op.NOTIFY):
        joined = {
            event.meta["user"]
            for event in await town.log(frame[2])
            if event.meta["type"] == "member_joined" and event.meta["joined"]
        }
        assert user in joined, "who stands beside an inbox is not told"


async def test_nothing_arrives_that_may_not_be_read(town: Town) -> None:
    """A busy day: members come and go, and every frame of every socket is looked at."""
    await town.everybody_listens()

    async def comings_and_goings() -> None:
        for method, name, user in (
            ("DELETE", "amber", "rob"),
            ("PUT", "birch", "mia"),
            ("DELETE", "coral", "pat"),
            ("PUT", "coral", "pat"),
            ("DELETE", "birch", "mia"),
            ("DELETE", "birch", "rob"),
        ):
            path = f"/v1/admin/inboxes/{name}/members/{user}"
            assert (await town.site.call(ADMIN, method, path)).status_code == 204
            peer = town.peers[user, 1]
            await town.ask(peer, Op.SUB, [[name, "list"]])

    async def traffic(first: int) -> None:
        for number in range(20):
            for name in INBOXES:
                await town.texts(name, f"{name} {number}", first + number)

    await asyncio.gather(comings_and_goings(), traffic(100), traffic(200), _acts(town))
    for name in INBOXES:
        for user in ("bea", "joan"):  # who may see all misses nothing
            for at in (0, 1):
                await town.caught_up(user, at, name)
                seqs = [seq for seq, _ in town.peers[user, at].events(name)]
                assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    for (user, _), peer in town.peers.items():
        await _keeps_to_the_log(town, user, peer)
    stan = [town.peers["stan", at] for at in (0, 1)]
    assert all(peer.all(op) == [] for peer in stan for op in (Op.EV, Op.SNAP, Op.BADGE, Op.NOTIFY))


async def _acts(town: Town) -> None:
    """Claims, notes with mentions, transfers and returns, whoever is a member by now."""
    for number in range(6):
        for name in INBOXES:
            conv = await town.texts(name, f"{name} act {number}", 300 + number)
            mentions = ["pat", "bea", "joan"]
            await town.site.act(ADMIN, conv, "note", text=f"{name} note", mentions=mentions)
            row = (await town.site.act("pat", conv, "assign")).json()
            for to in ("mia", "rob", "stan", "bea", "joan"):
                await town.sites[1].act("pat", conv, "transfer", to=to, own_tok=row.get("own_tok"))


@pytest.mark.parametrize("how", ["membership", "role", "user", "inbox"])
async def test_nothing_of_an_inbox_follows_the_end_of_access(town: Town, how: str) -> None:
    """I12 over two nodes, for the open socket, the backlog of a closed one, and who comes back."""
    user = "bea" if how == "role" else "rob"
    await town.everybody_listens()
    gone = await town.peer(user, 1)
    await town.ask(gone, Op.SUB, [["amber", "list"]])
    _, _, epoch, seq, tip, *_ = await gone.got(Op.SNAP)
    await gone.end()
    for number in range(30):  # the backlog: half-written when access ends
        await town.texts("amber", f"amber {number}", number)
    method, path, body = {
        "membership": ("DELETE", f"/v1/admin/inboxes/amber/members/{user}", None),
        "role": ("PATCH", f"/v1/admin/users/{user}", {"role": "member"}),
        "user": ("DELETE", f"/v1/admin/users/{user}", None),
        "inbox": ("DELETE", "/v1/admin/inboxes/amber", None),
    }[how]
    log = [*await town.log("amber")] if how == "inbox" else []
    ended = await town.site.call(ADMIN, method, path, body)
    assert ended.is_success, ended.text
    if how != "inbox":
        for number in range(30):
            await town.texts("amber", f"amber later {number}", number)
        log = await town.log("amber")
        (last,) = [
            event.seq for event in log
            if event.meta["type"] == "member_removed" and event.meta["user"] == user
        ]  # fmt: skip
        await town.caught_up("mia", 0, "amber")
        await town.caught_up("mia", 1, "amber")
    else:
        last = log[-1].seq + 1  # the deletion itself is the log's end
        await town.peers["mia", 1].got(Op.UNSUBD, _1="amber")
    for at in (0, 1):
        peer = town.peers[user, at]
        if how in {"role", "user"}:
            assert await peer.closed() == (4102 if how == "role" else 4101)
        else:
            await peer.got(Op.UNSUBD, _1="amber")
            await town.ask(peer, Op.CHECK, "birch", [])  # answered behind whatever was queued
        assert all(seq <= last for seq, _ in peer.events("amber")), at
        assert not [frame for frame in peer.frames if "amber later" in json.dumps(frame)]
    if how == "user":
        assert (await town.sites[1].call(user, "GET", "/v1/me")).status_code == 401
        return
    again = await town.peer(user, 1)
    answer = await town.ask(again, Op.SUB, [["amber", "list", epoch, seq, tip]])
    assert answer[2]["subs"][0][1] == "refused"
    shown = [f for f in again.frames if _mentions(f, "amber") and not _answers_own_question(f)]
    assert shown == []

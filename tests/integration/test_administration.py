"""What an admin changes on one node holds on every node, and survives the node that began it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from batonbox_server.domain.model import Role
from batonbox_server.errors import Refused
from batonbox_server.store.directory_port import Inbox, User
from batonbox_server.store.port import Removed
from batonbox_server.store.redis import RedisStore
from batonbox_server.wire import JSON_SUBPROTOCOL, Close, Op
from tests.served import SALES, Served, served
from tests.support import eventually

NEW_NUMBER = "+14165550177"


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix) as site:
        yield site


class Line:
    """A bare websocket that has signed in, and every frame it was sent."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[list[Any]] = []
        self._unread: deque[str | bytes] = deque()

    async def until(self, op: Op, kind: str = "") -> list[Any]:
        """Read up to the next frame of this operation (and, for ORG, kind)."""
        while True:
            while self._unread:
                frame = json.loads(self._unread.popleft())
                self.frames.append(frame)
                if frame[0] == op and (not kind or frame[1] == kind):
                    return list(frame)
            message = await asyncio.wait_for(self.socket.recv(), 10)
            self._unread += message.splitlines()

    async def close_code(self) -> int:
        """Read until the server closes."""
        try:
            while True:
                await asyncio.wait_for(self.socket.recv(), 10)
        except ConnectionClosed:
            return self.socket.close_code or 0


@asynccontextmanager
async def signed_in(site: Served, token: str) -> AsyncIterator[Line]:
    """A line to the node, past WELCOME."""
    url = site.url.replace("http", "ws") + "/v1/ws"
    async with connect(url, subprotocols=[JSON_SUBPROTOCOL]) as socket:  # type: ignore[list-item]
        line = Line(socket)
        await socket.send(json.dumps([Op.HELLO, token, "test"]))
        await line.until(Op.ORG, "state")
        yield line


async def test_revocation_and_role_changes_close_sockets_on_every_node(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        made = (await east.call("admin", "POST", "/v1/admin/users/agent1/tokens", {})).json()
        kept = await east.token("agent1")
        async with (
            signed_in(east, made["token"]) as here,
            signed_in(west, made["token"]) as there,
            signed_in(west, kept) as other,
        ):
            path = f"/v1/admin/users/agent1/tokens/{made['id']}"
            assert (await east.call("admin", "DELETE", path)).status_code == 204
            assert await here.close_code() == await there.close_code() == Close.REVOKED
            # Another token of the same user goes on, until the role changes.
            await other.socket.send(json.dumps([Op.CHECK, 1, "sales", []]))
            await other.until(Op.OK)
            answer = await east.call("admin", "PATCH", "/v1/admin/users/agent1", {"role": "admin"})
            assert answer.status_code == 200, answer.text
            assert await other.close_code() == Close.ROLES_CHANGED
        assert (await west.http.get("/v1/me", headers=bearer(made["token"]))).status_code == 401
        me = (await west.http.get("/v1/me", headers=bearer(kept))).json()
        assert (me["role"], me["inboxes"]) == ("admin", ["sales", "support"])


async def test_an_inbox_is_made_lived_in_and_unmade(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        async with signed_in(west, await west.token("agent1")) as line:
            body = {"id": "returns", "name": "Returns", "numbers": [NEW_NUMBER]}
            made = await east.call("admin", "POST", "/v1/admin/inboxes", body)
            assert made.status_code == 201, made.text
            path = "/v1/admin/inboxes/returns/members/agent1"
            assert (await east.call("admin", "PUT", path)).status_code == 204
            frame = await line.until(Op.ORG, "inbox")
            assert (frame[2]["id"], frame[2]["members"]) == ("returns", ["agent1"])
            conv = await west.texts("broken", to=NEW_NUMBER)
            assert (await west.act("agent1", conv, "assign")).status_code == 200
            gone = await east.call("admin", "DELETE", "/v1/admin/inboxes/returns")
            assert gone.status_code == 204
            assert (await line.until(Op.ORG, "inbox_gone"))[2]["id"] == "returns"
        keys = await east.node.client.execute("KEYS", f"{prefix}{{ib:returns}}*")
        # Only what guards against late duplicates is left, and expires by itself.
        for key in keys:
            assert await east.node.client.execute("PTTL", key) > 0, key
        body = {"from": "+14165550142", "to": NEW_NUMBER, "text": "anybody?", "id": "u1"}
        for _ in range(2):
            answer = await west.call("admin", "POST", "/v1/loopback/inbound", body)
            assert (answer.status_code, answer.json()["code"]) == (409, "number_not_routed")
        kept = (await east.get("admin", "/v1/admin/unrouted"))["items"]
        assert [message["text"] for message in kept] == ["anybody?"]


async def test_a_dead_nodes_jobs_are_finished_by_another(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix) as site:
        conv = await site.texts("hello")
        await site.act("agent1", conv, "assign")
        organisation = site.node.organisation
        # What a node leaves that dies between the change and its application.
        jobs = await organisation.delete_user("agent1")
        jobs += await organisation.create_inbox(Inbox("late", "Late", ("agent2",), (NEW_NUMBER,)))
        assert {job.inbox for job in jobs} == {"sales", "late", ""}  # "": out of the channels
        info = await site.node.store.inbox_info(inbox="sales")
        assert info is not None
        assert "agent1" in info.members
        due = f"{site.node.keys.org}:due"
        for job in jobs:
            await site.node.client.execute("ZADD", due, 0, job.id)
        async with served(engine_url, prefix) as other:
            found: dict[str, Any] = {}

            async def look() -> bool:
                found.update(await other.get("admin", f"/v1/conversations/{conv}"))
                return (
                    found["assignee"] is None and await other.node.client.execute("ZCARD", due) == 0
                )

            await until(look)
            assert found["status"] == "unassigned"
            assert await other.texts("to the late one", to=NEW_NUMBER)


async def test_a_removal_done_twice_leaves_whoever_came_back(site: Served) -> None:
    """A job is done again when its node died, or its lease ended, however late that is."""
    node = site.node
    before = await site.texts("hello")
    await site.act("agent1", before, "assign")
    jobs = await node.organisation.set_member(inbox="sales", user="agent1", on=False)
    assert all([await node.administration.run_job(job) for job in jobs])
    assert (await site.get("agent2", f"/v1/conversations/{before}"))["assignee"] is None
    await node.administration.set_member(inbox="sales", user="agent1", on=True)
    conv = await site.texts("again", customer="+14165550143")
    assert (await site.act("agent1", conv, "assign")).is_success
    assert all([await node.administration.run_job(job) for job in jobs])
    assert (await site.get("agent1", f"/v1/conversations/{conv}"))["assignee"] == "agent1"


async def test_who_joined_in_a_lost_future_can_be_removed(site: Served) -> None:
    """An engine that lost the end of the organisation's log, and nothing of the inbox."""
    node = site.node
    key = f"{node.keys.inbox('sales')}:meta"
    await node.administration.set_member(inbox="sales", user="admin", on=True)
    for user in ("agent1", "agent2", "admin"):
        await node.client.execute("HSET", key, f"mem:{user}", 1_000_000)
    for user in ("agent1", "admin"):
        await node.administration.set_member(inbox="sales", user=user, on=False)
    info = await node.store.inbox_info(inbox="sales")
    assert info is not None and "agent1" not in info.members and "agent2" in info.members
    assert info.members["admin"][:2] == (Role.ADMIN, False)
    # By the last look alone: no job names them.
    await node.store.join(inbox="sales", user="stranger", role=Role.MEMBER, joined=True, at=10**6)
    await node.administration.edit_inbox("sales", name="Sales again")
    info = await node.store.inbox_info(inbox="sales")
    assert info is not None and "stranger" not in info.members


async def test_moving_a_number_moves_its_messages(site: Served) -> None:
    first = await site.texts("to sales")
    answer = await site.call(
        "admin", "PATCH", "/v1/admin/inboxes/support", {"numbers": [SALES, "+14165550101"]}
    )
    assert answer.status_code == 200, answer.text
    second = await site.texts("to support")
    assert (first.partition(".")[0], second.partition(".")[0]) == ("sales", "support")
    await site.act("agent1", first, "assign")
    refused = await site.act("agent1", first, "reply", text="from a number that is gone")
    assert (refused.status_code, refused.json()["code"]) == (409, "number_not_routed")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "users", {"id": "agent1", "name": "Again"}, 409, "conflict"),
        ("POST", "users", {"id": "No Spaces", "name": "X"}, 400, "bad_request"),
        ("POST", "users", {"id": "a.dot", "name": "X"}, 400, "bad_request"),
        ("POST", "users", {"name": ""}, 400, "bad_request"),
        ("POST", "users", {"name": "X", "role": "owner"}, 400, "bad_request"),
        ("POST", "users", {"name": "X", "rank": 1}, 400, "bad_request"),
        ("PATCH", "users/nobody", {"name": "X"}, 404, "not_found"),
        ("DELETE", "users/nobody", None, 404, "not_found"),
        ("DELETE", "users/admin", None, 409, "conflict"),
        ("PATCH", "users/admin", {"role": "member"}, 409, "conflict"),
        ("GET", "users/nobody/tokens", None, 404, "not_found"),
        ("POST", "users/nobody/tokens", {}, 404, "not_found"),
        ("POST", "users/agent1/tokens", {"limits": {"speed": 1}}, 400, "bad_request"),
        ("POST", "users/agent1/tokens", {"limits": {"commands_burst": 0}}, 400, "bad_request"),
        ("DELETE", "users/agent1/tokens/tok_none", None, 404, "not_found"),
        ("POST", "inboxes", {"id": "sales", "name": "Again"}, 409, "conflict"),
        ("POST", "inboxes", {"name": "X", "numbers": [SALES]}, 409, "conflict"),
        ("POST", "inboxes", {"name": "X", "numbers": ["12"]}, 400, "bad_request"),
        ("POST", "inboxes", {"name": "X", "members": ["nobody"]}, 404, "not_found"),
        ("PATCH", "inboxes/none", {"name": "X"}, 404, "not_found"),
        ("DELETE", "inboxes/none", None, 404, "not_found"),
        ("PUT", "inboxes/sales/members/nobody", None, 404, "not_found"),
        ("PUT", "inboxes/none/members/agent1", None, 404, "not_found"),
        ("PUT", f"numbers/{SALES}", {"inbox": "sales", "carrier": "pigeon"}, 400, "bad_request"),
        ("PUT", f"numbers/{SALES}", {"inbox": "none", "carrier": "loopback"}, 404, "not_found"),
        ("DELETE", f"numbers/{NEW_NUMBER}", None, 404, "not_found"),
    ],
)
async def test_what_an_admin_cannot_do_is_refused_by_name(
    site: Served, method: str, path: str, body: Any, status: int, code: str
) -> None:
    await site.token("admin")  # making it is an event of its own
    before = await site.node.organisation.state()
    answer = await site.call("admin", method, f"/v1/admin/{path}", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await site.node.organisation.state() == before


async def test_ids_are_made_and_admins_stand_in_every_inbox(site: Served) -> None:
    made = await site.call("admin", "POST", "/v1/admin/users", {"name": "Zoe", "role": "admin"})
    zoe = made.json()["id"]
    assert made.status_code == 201
    assert zoe.startswith("usr_")
    info = await site.node.store.inbox_info(inbox="sales")
    assert info is not None
    assert info.members[zoe][:2] == (Role.ADMIN, False)
    await site.call("admin", "PATCH", f"/v1/admin/users/{zoe}", {"role": "member", "name": "Zo"})
    info = await site.node.store.inbox_info(inbox="sales")
    assert info is not None
    assert zoe not in info.members
    users = (await site.get("admin", "/v1/admin/users"))["items"]
    shown = {"id": zoe, "name": "Zo", "role": "member", "active": True, "bot": False, "away": ""}
    assert shown in users


async def test_two_nodes_changing_one_inbox_lose_nothing(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        names = [f"crew{number}" for number in range(12)]
        for name in names:
            await east.node.administration.create_user(User(name, name, Role.MEMBER))
        nodes = (east.node, west.node)
        await asyncio.gather(
            *(
                nodes[number % 2].administration.set_member(inbox="sales", user=name, on=True)
                for number, name in enumerate(names)
            )
        )
        state = await east.node.organisation.state()
        info = await east.node.store.inbox_info(inbox="sales")
        assert info is not None
        assert set(names) <= set(state.inboxes["sales"].members)
        assert set(names) <= set(info.members)
        await eventually(lambda: "sales" in west.node.directory.joined_by(names[0]))


def bearer(token: str) -> dict[str, str]:
    """The header."""
    return {"authorization": f"Bearer {token}"}


async def until(look: Any) -> None:
    """Poll an asynchronous condition."""
    for _ in range(1500):
        if await look():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


async def test_a_member_is_out_as_soon_as_their_inbox_can_be_written_again(
    engine_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when one primary of several is away: the lease of what failed would be long."""
    async with served(engine_url, prefix, job_lease_s=600.0) as site:
        away, remove = True, RedisStore.remove

        async def removed(self: RedisStore, **given: Any) -> Removed:
            if away:
                raise Refused("unavailable")
            return await remove(self, **given)

        monkeypatch.setattr(RedisStore, "remove", removed)
        gone = await site.call("admin", "DELETE", "/v1/admin/inboxes/sales/members/agent1")
        assert gone.status_code == 204
        await asyncio.sleep(1.5)

        async def is_in() -> bool:
            info = await site.node.store.inbox_info(inbox="sales")
            return info is not None and "agent1" in info.members

        assert await is_in()
        away = False

        async def is_out() -> bool:
            return not await is_in()

        await until(is_out)
        due = f"{site.node.keys.org}:due"

        async def nothing_is_left() -> bool:
            return bool(await site.node.client.execute("ZCARD", due) == 0)

        await until(nothing_is_left)

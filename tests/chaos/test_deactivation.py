"""A member with many conversations is deactivated under load, and the server dies in the middle."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import msgpack  # type: ignore[import-untyped]
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from batonbox_server.wire import Op
from tests.chaos.processes import Server, serving

SETTINGS: dict[str, Any] = {
    "job_lease_s": 2,
    "commands_per_s": 100_000,
    "commands_burst": 100_000,
}
REVOKED = 4101


class Office:
    """The server, its inboxes, and requests as one of its people."""

    def __init__(self, server: Server, inboxes: int) -> None:
        self.server = server
        self.numbers = {f"in{i:03d}": f"+1416558{i:04d}" for i in range(inboxes)}
        self.tokens: dict[str, str] = {}
        self.convs: set[str] = set()
        self.cookie = ""
        self.http = httpx2.AsyncClient(base_url=server.url, timeout=60)

    async def call(self, user: str, method: str, path: str, body: Any = None) -> httpx2.Response:
        """One request; it is the test's business what comes of it."""
        headers = {"authorization": f"Bearer {self.tokens[user]}"}
        return await self.http.request(method, path, json=body, headers=headers)

    async def open(self) -> None:
        """The people, and every inbox with two of them in it."""
        self.tokens["admin"] = await self.server.token()
        for user in ("mia", "noa"):
            await self.call("admin", "POST", "/v1/admin/users", {"id": user, "name": user})
            made = await self.call("admin", "POST", f"/v1/admin/users/{user}/tokens", {})
            self.tokens[user] = made.json()["token"]
        self.cookie = await self._session("mia", "correct horse battery")
        for name, number in self.numbers.items():
            body = {"id": name, "name": name, "members": ["mia", "noa"], "numbers": [number]}
            made = await self.call("admin", "POST", "/v1/admin/inboxes", body)
            assert made.status_code == 201, made.text

    async def _session(self, user: str, password: str) -> str:
        """Sign in as a browser does."""
        path, given = f"/v1/admin/users/{user}/password", {"password": password}
        assert (await self.call("admin", "PUT", path, given)).is_success
        signed_in = await self.http.post(
            "/v1/session", json={"user": user, **given}, headers={"origin": self.server.url}
        )
        assert signed_in.is_success, signed_in.text
        self.http.cookies.clear()
        return signed_in.headers["set-cookie"].partition(";")[0]

    async def sees(self, cookie: str) -> int:
        """The status that a session's own page gets."""
        return (await self.http.get("/v1/me", headers={"cookie": cookie})).status_code

    async def texts(self, inbox: str, customer: int) -> str | None:
        """A customer writes; None when no server answers."""
        said = {"from": f"+1905{customer:07d}", "to": self.numbers[inbox], "text": "hello"}
        try:
            answer = await self.call("admin", "POST", "/v1/loopback/inbound", said)
        except httpx2.HTTPError:
            return None
        if not answer.is_success:
            return None
        self.convs.add(answer.json()["conv"])
        return str(answer.json()["conv"])

    async def fill(self, each: int) -> set[str]:
        """Mia takes so many conversations in every inbox."""
        mine: set[str] = set()

        async def one(inbox: str) -> None:
            for customer in range(each):
                conv = await self.texts(inbox, customer)
                assert conv is not None
                taken = await self.call("mia", "POST", f"/v1/conversations/{conv}/assign", {})
                assert taken.is_success, taken.text
                mine.add(conv)

        room = asyncio.Semaphore(8)

        async def in_turn(inbox: str) -> None:
            async with room:
                await one(inbox)

        await asyncio.gather(*map(in_turn, self.numbers))
        return mine

    async def rows(self, inbox: str) -> list[dict[str, Any]]:
        """Every open conversation, as the admin reads them."""
        found, cursor = [], ""
        while True:
            query = f"view=open&inbox={inbox}&limit=200" + (f"&cursor={cursor}" if cursor else "")
            answer = await self.call("admin", "GET", f"/v1/conversations?{query}")
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            cursor = answer.json()["next"]
            if not cursor:
                return found


class Socket:
    """A raw connection that keeps every frame until it is closed."""

    def __init__(self, wire: ClientConnection) -> None:
        self.wire = wire
        self.frames: list[list[Any]] = []
        self.closed = asyncio.Event()
        self.code = 0
        self.at_s = 0.0

    async def send(self, *frame: Any) -> None:
        """One frame."""
        await self.wire.send(msgpack.packb(list(frame)))

    async def listen(self) -> None:
        """Keep what comes."""
        unpacker = msgpack.Unpacker()
        try:
            async for message in self.wire:
                assert isinstance(message, bytes)
                unpacker.feed(message)
                self.frames += list(unpacker)
        except ConnectionClosed:
            pass
        self.code, self.at_s = self.wire.close_code or 0, time.monotonic()
        self.closed.set()

    def all(self, op: Op) -> list[list[Any]]:
        """The frames of one kind."""
        return [frame for frame in self.frames if frame[0] == op]


async def dial(office: Office, user: str, subs: list[list[Any]]) -> Socket:
    """Sign in and subscribe."""
    url = office.server.url.replace("http", "ws") + "/v1/ws"
    wire = await connect(url, subprotocols=[Subprotocol("batonbox.v1.msgpack")], max_size=None)
    it = Socket(wire)
    await it.send(Op.HELLO, office.tokens[user], "test")
    await it.send(Op.SUB, 1, subs)
    return it


def removals(it: Socket) -> dict[str, int]:
    """Where Mia was removed, as far as this connection was told."""
    return {
        frame[1]: frame[2]
        for frame in it.all(Op.EV)
        if frame[3]["type"] == "member_removed" and frame[3]["user"] == "mia"
    }


async def until(true: Any, what: str, timeout_s: float = 60.0) -> None:
    """Wait for what a frame or an answer will say."""
    try:
        async with asyncio.timeout(timeout_s):
            while not await true():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {timeout_s} s: {what}") from None


async def deactivated_under_load(folder: Path, *, inboxes: int, each: int) -> None:
    async with serving(folder, **SETTINGS) as server:
        office = Office(server, inboxes)
        async with office.http, asyncio.TaskGroup() as group:
            await office.open()
            held = await office.fill(each)
            assert len(held) == inboxes * each
            subs = [[name, "list"] for name in office.numbers]
            mia = await dial(office, "mia", subs)
            group.create_task(mia.listen())
            boss = await dial(office, "admin", subs)
            boss_listens = group.create_task(boss.listen())

            async def ready() -> bool:
                return all(len(one.all(Op.SNAP)) == inboxes for one in (mia, boss))

            await until(ready, "snapshots")
            assert await office.sees(office.cookie) == 200
            load = [group.create_task(_customers(office, seed)) for seed in range(3)]
            load.append(group.create_task(_noa(office)))
            await asyncio.sleep(0.5)  # the load has to be under way, for so long

            began_s = time.monotonic()
            asking = group.create_task(_deactivate(office))
            await asyncio.wait_for(mia.closed.wait(), 30)
            assert mia.code == REVOKED, mia.code
            cut_s = mia.at_s - began_s
            refused = await office.call("mia", "GET", "/v1/me")
            assert refused.status_code == 401, refused.text
            assert await office.sees(office.cookie) == 401

            async def half_way() -> bool:
                return len(removals(boss)) >= inboxes // 4

            await until(half_way, "the first inboxes")
            await server.kill()
            await asking
            for task in load:
                task.cancel()
            await asyncio.gather(*load, return_exceptions=True)
            await boss_listens
            await server.start()
            left = len(await _still_hers(office))

            again_s = time.monotonic()
            await _all_returned(office, held)
            print(
                f"{inboxes} inboxes, {inboxes * each} conversations: socket closed after "
                f"{cut_s * 1000:.0f} ms; {left} still held when the server was back; all "
                f"returned {time.monotonic() - again_s:.1f} s later"
            )
            assert 0 < left < len(held), "the server has to die in the middle"
            await _nothing_lost(office)
            await _no_way_in(office)
            await _heard_nothing_after_the_removal(office, mia, boss)
            await _badges_are_right(office)


async def _deactivate(office: Office) -> None:
    try:
        await office.call("admin", "POST", "/v1/admin/users/mia/deactivate")
    except httpx2.HTTPError:
        return  # the server died over it


async def _customers(office: Office, seed: int) -> None:
    rng = random.Random(seed)
    while True:
        await office.texts(rng.choice(list(office.numbers)), rng.randrange(10_000))


async def _noa(office: Office) -> None:
    """Takes what is unassigned."""
    rng = random.Random(9)
    while True:
        try:
            await office.call(
                "noa", "POST", f"/v1/conversations/{rng.choice(sorted(office.convs))}/assign", {}
            )
        except httpx2.HTTPError:
            await asyncio.sleep(0.05)


async def _still_hers(office: Office) -> list[str]:
    rows = [row for name in office.numbers for row in await office.rows(name)]
    return [row["id"] for row in rows if row["assignee"] == "mia"]


async def _all_returned(office: Office, held: set[str]) -> None:
    async def done() -> bool:
        return not await _still_hers(office)

    await until(done, "everything back")
    rows = {row["id"]: row for name in office.numbers for row in await office.rows(name)}
    assert held <= rows.keys()
    for conv in held:
        assert rows[conv]["assignee"] in {"", None, "noa"}, rows[conv]
        if rows[conv]["assignee"] != "noa":
            assert rows[conv]["status"] == "unassigned", rows[conv]


async def _nothing_lost(office: Office) -> None:
    found = Counter([row["id"] for name in office.numbers for row in await office.rows(name)])
    assert office.convs <= found.keys()
    assert set(found.values()) == {1}


async def _no_way_in(office: Office) -> None:
    assert (await office.call("mia", "GET", "/v1/me")).status_code == 401
    assert await office.sees(office.cookie) == 401
    shut = await dial(office, "mia", [])
    await asyncio.wait_for(shut.listen(), 10)
    assert 4100 <= shut.code < 4500, shut.code


async def _heard_nothing_after_the_removal(office: Office, mia: Socket, boss: Socket) -> None:
    """The log from where the admin stood before: where the removal is, and what Mia got of it."""
    subs = [[snap[1], "list", snap[2], snap[3], snap[4]] for snap in boss.all(Op.SNAP)]
    reader = await dial(office, "admin", subs)
    listening = asyncio.get_running_loop().create_task(reader.listen())

    async def told() -> bool:
        return removals(reader).keys() == office.numbers.keys()

    await until(told, "every removal")
    heard: dict[str, int] = {}
    for frame in mia.all(Op.EV):
        heard[frame[1]] = max(heard.get(frame[1], 0), frame[2])
    assert heard, "she was listening"
    for inbox, seq in removals(reader).items():
        assert heard.get(inbox, 0) < seq, (inbox, heard[inbox], seq)
    await reader.wire.close()
    await listening


async def _badges_are_right(office: Office) -> None:
    """Noa has looked at nothing: what is unassigned is blue, what she took unseen is green."""
    noa = await dial(office, "noa", [])
    listening = asyncio.get_running_loop().create_task(noa.listen())
    want = {}
    for name in office.numbers:
        rows = await office.rows(name)
        hers = sum(1 for row in rows if row["assignee"] == "noa")
        want[name] = (sum(1 for row in rows if row["status"] == "unassigned"), hers)

    async def right() -> bool:
        shown = {frame[1]: (frame[2], frame[3]) for frame in noa.all(Op.BADGE)}
        return shown == want

    await until(right, "badges equal to the rows", 30)
    await noa.wire.close()
    await listening


async def test_access_ends_at_once_and_a_restart_returns_the_rest(tmp_path: Path) -> None:
    await deactivated_under_load(tmp_path / "data", inboxes=20, each=10)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_hundred_inboxes_and_two_thousand_conversations(tmp_path: Path) -> None:
    await deactivated_under_load(tmp_path / "data", inboxes=100, each=20)

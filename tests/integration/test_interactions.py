"""Interactions: everything one may see in one list, newest first, page by page."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from batonbox_server.store.directory_port import Inbox
from batonbox_server.store.rooms_port import RoomOf
from tests.integration.talk_harness import channel, ok, person
from tests.served import Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(engine_url: str) -> AsyncIterator[Served]:
    """One node with the demo organisation; each test has people and inboxes of its own."""
    async with served(engine_url, f"t{uuid.uuid4().hex[:12]}:") as site:
        yield site


async def walked(site: Served, user: str, show: str, limit: int) -> list[str]:
    """Ids of every page, in order."""
    found: list[str] = []
    after = ""
    while True:
        path = f"/v1/interactions?filter={show}&limit={limit}&after={after}"
        page = await site.get(user, path)
        found += [(item.get("conversation") or item["room"])["id"] for item in page["items"]]
        if not page["next"]:
            return found
        after = page["next"]


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
async def test_interactions_are_everything_one_may_see_newest_first(
    site: Served, limit: int
) -> None:
    mia = await person(site)
    box, number = f"box{uuid.uuid4().hex[:6]}", f"+1416557{uuid.uuid4().int % 10000:04}"
    await site.node.administration.create_inbox(Inbox(box, box, (mia,), (number,)))
    expected: list[tuple[str, str]] = []
    for turn in range(3):
        customer = f"+1647557{turn:04}"
        conv = await site.texts(f"text {turn}", to=number, customer=customer)
        if turn == 1:
            assert (await site.act(mia, conv, "done")).is_success
        expected.append(("external", conv))
        room = await channel(site, mia)
        await ok(site, mia, f"/{room}/post", text="x")
        expected.append(("channels", room))
        other = await person(site)
        direct = (await ok(site, other, "/direct", user=mia))["conv"]
        await ok(site, other, f"/{direct}/post", text="y")
        expected.append(("direct", direct))
    expected.reverse()
    for show in ("all", "external", "direct", "channels"):
        wanted = [name for kind, name in expected if show in {"all", kind}]
        assert await walked(site, mia, show, limit) == wanted, show
    assert (await site.call(mia, "GET", "/v1/interactions?after=x")).json()["code"] == "bad_request"


async def test_what_does_not_move_is_on_one_page_whatever_moves_meanwhile(site: Served) -> None:
    mia = await person(site)
    box, number = f"box{uuid.uuid4().hex[:6]}", f"+1416558{uuid.uuid4().int % 10000:04}"
    await site.node.administration.create_inbox(Inbox(box, box, (mia,), (number,)))
    still, moving = set[str](), list[tuple[str, str]]()
    for turn in range(8):
        customer = f"+1647558{turn:04}"
        conv = await site.texts("x", to=number, customer=customer)
        if turn % 4 == 1:
            assert (await site.act(mia, conv, "done")).is_success
        room = await channel(site, mia)
        await ok(site, mia, f"/{room}/post", text="x")
        if turn % 2:
            still |= {conv, room}
        else:
            moving += [("text", customer), ("post", room)]
    found: list[str] = []
    after, page = "", 0
    while True:
        answer = await site.get(mia, f"/v1/interactions?limit=2&after={after}")
        found += [(item.get("conversation") or item["room"])["id"] for item in answer["items"]]
        kind, where = moving[page % len(moving)]  # something jumps to the top
        if kind == "text":
            await site.texts("again", to=number, customer=where)
        else:
            await ok(site, mia, f"/{where}/post", text="again")
        page += 1
        if not answer["next"]:
            break
        after = answer["next"]
    assert [name for name in found if name in still] == sorted(still, key=found.index)
    assert all(found.count(name) == 1 for name in still)


async def test_of_many_rooms_those_of_the_page_are_read(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia, store = await person(site), site.node.room_store
    rooms = [await channel(site, mia) for _ in range(5)]
    for room in rooms:
        await ok(site, mia, f"/{room}/post", text="x")
    read, room_of = list[str](), store.room_of

    async def noted(*, room: str, user: str) -> RoomOf | None:
        read.append(room)
        return await room_of(room=room, user=user)

    monkeypatch.setattr(store, "room_of", noted)
    page = await site.get(mia, "/v1/interactions?filter=channels&limit=2")
    assert [item["room"]["id"] for item in page["items"]] == rooms[:2:-1] == read

"""Who may do what in a room, on every transport: allowed, or refused by this very slug."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
import pytest
import pytest_asyncio

from batonbox import ApiError, Room, RoomRow
from batonbox_server.domain.model import RoomKind
from batonbox_server.domain.policy import COMMANDS, Action
from batonbox_server.errors import CODES
from batonbox_server.wire import ROOM_COMMANDS, Op

from .permission_harness import House, housed

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY: Final = bytes(msgpack.packb({"text": "a post", "mentions": [], "media": []}))
# In the room: a member, a bot, an admin, and whose post is there. Not (any more): the rest.
INSIDE: Final = ("mia", "bot", "joan", "pat")
PEOPLE: Final = (*INSIDE, "stan", "bea", "otto")
GONE: Final = "otto"  # was in it
ADMINS: Final = frozenset({"joan", "bea"})


@dataclass(frozen=True, slots=True)
class Place:
    """A room with a post of Pat's, and one of whoever acts, if they are in it."""

    room: str
    n: int
    own: int
    user: str
    rev: str


@dataclass(frozen=True, slots=True)
class Act:
    """A command, its arguments, and how it is answered."""

    name: str
    args: Callable[[Place], dict[str, Any]]
    wanted: Callable[[RoomKind, str], str]
    sdk: Callable[[Room, Place], Awaitable[Any]]


def members(kind: RoomKind, user: str) -> str:
    """Whoever is in it."""
    if user in inside(kind):
        return ""
    return "not_found" if kind is RoomKind.DIRECT else "forbidden"


def inside(kind: RoomKind) -> tuple[str, ...]:
    """Who is in it; a direct room is Mia's and Pat's."""
    return ("mia", "pat") if kind is RoomKind.DIRECT else INSIDE


def joining(kind: RoomKind, user: str) -> str:
    """Everybody in public ones, admins anywhere; a direct room has its two."""
    if kind is RoomKind.DIRECT:
        return "bad_request" if user in inside(kind) else "not_found"
    allowed = kind is RoomKind.PUBLIC or user in inside(kind) or user in ADMINS
    return "" if allowed else "forbidden"


def ruling(kind: RoomKind, user: str) -> str:
    """Admins, in it or not, but not in what is two people's."""
    if user not in ADMINS:
        return "forbidden"
    return "not_found" if kind is RoomKind.DIRECT else ""


def of_another(kind: RoomKind, user: str) -> str:
    """Nobody changes what somebody else wrote."""
    return members(kind, user) or "forbidden"


def deleting(kind: RoomKind, user: str) -> str:
    """An admin deletes anybody's post of a channel they are in."""
    return members(kind, user) or ("" if user in ADMINS else "forbidden")


ACTS: Final = {
    "join": Act("join", lambda _: {}, joining, lambda room, _: room.join()),
    "leave": Act("leave", lambda _: {}, joining, lambda room, _: room.leave()),
    "invite": Act(
        "invite", lambda _: {"user": "stan"}, ruling, lambda room, _: room.invite("stan")
    ),
    "remove": Act("remove", lambda _: {"user": "bot"}, ruling, lambda room, _: room.remove("bot")),
    "rename": Act(
        "rename", lambda at: {"name": at.room}, ruling, lambda room, at: room.rename(at.room)
    ),
    "archive": Act("archive", lambda _: {}, ruling, lambda room, _: room.archive()),
    "post": Act("post", lambda _: {"text": "x"}, members, lambda room, _: room.post("x")),
    "edit own": Act(
        "edit",
        lambda at: {"n": at.own, "text": "x"},
        members,
        lambda room, at: room.edit(at.own, "x"),
    ),
    "edit another's": Act(
        "edit",
        lambda at: {"n": at.n, "text": "x"},
        of_another,
        lambda room, at: room.edit(at.n, "x"),
    ),
    "delete own": Act(
        "delete", lambda at: {"n": at.own}, members, lambda room, at: room.delete(at.own)
    ),
    "delete another's": Act(
        "delete", lambda at: {"n": at.n}, deleting, lambda room, at: room.delete(at.n)
    ),
    "unread": Act("unread", lambda _: {}, members, lambda room, _: room.mark_unread()),
}
CELLS: Final = [
    pytest.param(kind, name, id=f"{kind}-{name.replace(' ', '_')}")
    for kind in RoomKind
    for name in ACTS
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(engine_url: str) -> AsyncIterator[House]:
    """One node for all cells; each has a room of its own."""
    async with housed(engine_url, f"t{uuid.uuid4().hex[:12]}:") as house:
        yield house


async def placed(house: House, kind: RoomKind, user: str) -> Place:
    """A room as its cell speaks of it."""
    rooms = house.site.node.room_store
    cids = {"actor": "pat", "cid": uuid.uuid4().hex}
    if kind is RoomKind.DIRECT:
        room = (await rooms.open_direct(user="mia", **cids)).conv
    else:
        name = uuid.uuid4().hex
        made = await rooms.create_channel(name=name, kind=kind, members=(*INSIDE, GONE), **cids)
        room = made.conv
        await rooms.drop_member(room=room, user=GONE, actor="pat", cid=uuid.uuid4().hex, admin=True)
    n = (await _post(house, room, "pat")).n
    own = (await _post(house, room, user)).n if user in inside(kind) else n
    state = await rooms.room_state(room=room)
    return Place(room, n, own, user, f"{state.seq}.{state.tip}")


async def _post(house: House, room: str, actor: str) -> Any:
    return await house.site.node.room_store.post(
        room=room, actor=actor, cid=uuid.uuid4().hex, body=BODY, preview="a post"
    )


async def by_http(house: House, act: Act, at: Place) -> str:
    answer = await house.http(at.user, "POST", f"/v1/rooms/{at.room}/{act.name}", act.args(at))
    return "" if answer.is_success else str(answer.json()["code"])


async def by_socket(house: House, act: Act, at: Place) -> str:
    args = {"cid": uuid.uuid4().hex, "conv": at.room, **act.args(at)}
    return (await house.ask(at.user, Op.CMD, act.name, args))[0]


async def by_sdk(house: House, act: Act, at: Place) -> str:
    client = await house.client(at.user)
    try:
        await act.sdk(Room(client, RoomRow(id=at.room)), at)
    except ApiError as error:
        return error.slug
    return ""


@pytest.mark.parametrize("act", [by_http, by_socket, by_sdk])
@pytest.mark.parametrize(("kind", "name"), CELLS)
async def test_a_command(
    house: House,
    kind: RoomKind,
    name: str,
    act: Callable[[House, Act, Place], Awaitable[str]],
) -> None:
    asked = ACTS[name]
    for user in PEOPLE:
        if name.endswith("another's") and user == "pat":
            continue  # it is their own
        at = await placed(house, kind, user)
        assert await act(house, asked, at) == asked.wanted(kind, user), user
        if asked.wanted(kind, user):
            state = await house.site.node.room_store.room_state(room=at.room)
            assert f"{state.seq}.{state.tip}" == at.rev, (user, "refused, and changed something")


async def test_every_command_of_rooms_has_its_cells() -> None:
    elsewhere = {"open_dm", "create"}  # of no room: test_permissions.py
    assert {act.name for act in ACTS.values()} == ROOM_COMMANDS - elsewhere | {"unread"}
    for act in ACTS.values():
        assert (COMMANDS[act.name] is Action.CHANNELS) == (act.wanted is ruling), act.name


@pytest.mark.parametrize("kind", RoomKind)
async def test_reading(house: House, kind: RoomKind) -> None:
    """Lines, row, people and marks: members alone, by whatever way they are asked for."""
    for user in PEOPLE:
        at, wanted = await placed(house, kind, user), members(kind, user)
        told = []
        for more in ("", "/messages"):
            answer = await house.http(user, "GET", f"/v1/rooms/{at.room}{more}")
            told.append("" if answer.is_success else answer.json()["code"])
        seen = await house.http(user, "POST", f"/v1/rooms/{at.room}/seen", {"posts": 1})
        told.append("" if seen.is_success else seen.json()["code"])
        told.append((await house.ask(user, Op.HISTORY, at.room))[0])
        told.append((await house.ask(user, Op.CHECK, at.room, []))[0])
        client = await house.client(user)
        for verb in (client.room(at.room), Room(client, RoomRow(id=at.room)).history()):
            try:
                await verb
                told.append("")
            except ApiError as error:
                told.append(error.slug)
        assert set(told) == {wanted}, (user, told)
        assert (await house.ask(user, Op.PAGE, at.room, "open"))[0] == "bad_request"


@pytest.mark.parametrize("kind", RoomKind)
async def test_following(house: House, kind: RoomKind) -> None:
    """SUB at either level."""
    for user in PEOPLE:
        at, wanted = await placed(house, kind, user), members(kind, user)
        for level in ("list", f"conv:{at.room}"):
            _, result = await house.ask(user, Op.SUB, [[at.room, level]])
            ((_, how, number),) = result["subs"]
            told = _slug(number) if how == "refused" else ""
            assert told == wanted, (user, level)
        await (await house.peer(user)).send([Op.UNSUB, [at.room]])


async def test_what_stood_in_a_post_is_for_the_admins_of_a_channel(house: House) -> None:
    for kind in RoomKind:
        for user in PEOPLE:
            at = await placed(house, kind, user)
            path = f"/v1/rooms/{at.room}/messages/{at.n}/versions"
            answer = await house.http(user, "GET", path)
            told = "" if answer.is_success else answer.json()["code"]
            assert told == (members(kind, user) or ("" if user in ADMINS else "forbidden"))


def _slug(number: int) -> str:
    return next(code.slug for code in CODES.values() if code.number == number)

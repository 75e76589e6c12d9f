"""What a person may not see never appears in search, history, export or events.

Every route that can be read is asked for everything there is, by everybody, and every word of the
answers is looked at; a route that is new is asked too, because the table of routes has it. So is
every frame that a client may send, and every command about what is somebody else's.
"""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec
import pytest
import pytest_asyncio

from batonbox_server.asgi.app import ALL_ENDPOINTS
from batonbox_server.asgi.endpoint import Endpoint
from batonbox_server.wire import CLIENT_FRAMES, COMMANDS, VIEWS, Op
from tests.support import eventually

from .search_harness import settled
from .unseen_harness import ADMINS, GONE, INBOXES, PEOPLE, READERS, World, built

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAID: Final = ("text", "post")  # what has been written and stands
READS: Final = [e for e in ALL_ENDPOINTS if e.method == "GET" and e.action is not None]
# What may be asked for beside the path, so that whatever is hidden by default is asked for too.
VARIANTS: Final[dict[str, tuple[str, ...]]] = {
    "/v1/conversations": (
        *(f"view={view}&limit=200" for view in ("unassigned", "mine", "others", "open", "done")),
    ),
    "/v1/conversations/{conv}/messages": ("limit=200",),
    "/v1/rooms/{room}/messages": ("limit=200",),
    "/v1/interactions": (
        *(f"filter={show}&limit=200" for show in ("all", "external", "direct", "channels")),
    ),
    "/v1/contacts": ("limit=200", "q=zq"),
    "/v1/contacts/lookup": ("numbers=%2B16475569999",),
    "/v1/conversations/{conv}/export": ("format=json", "format=csv", "format=html"),
    "/v1/rooms/{room}/export": ("format=json", "format=csv", "format=html"),
    "/v1/admin/audit": ("limit=200",),
    "/v1/admin/audit/export": ("format=csv", "format=ndjson"),
    "/v1/admin/webhooks/{webhook}/deliveries": ("limit=200",),
    "/v1/media/{media}": ("exp=9999999999&sig=x",),
    "/v1/loopback/outbound": ("to=%2B16475560001",),
}
SEARCH: Final = "/v1/search"
# What is written into the fields that a command must have.
FILLED: Final[dict[str, Any]] = {
    "cid": "cid", "text": "mine", "reason": "mine", "name": "mine", "n": 1, "posts": 1, "att": "1",
    "on": True, "to": "ann", "user": "ann", "until_ms": int(1000 * (time.time() + 3600)),
}  # fmt: skip
# Of a public channel everybody's, and an admin's of any room that they do not read.
JOINING, HOLDING = {"join", "leave"}, {"hold"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(engine_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One organisation for all tests, which only read."""
    folder: Path = tmp_path_factory.mktemp("unseen")
    async with built(engine_url, f"t{uuid.uuid4().hex[:12]}:", folder) as world:
        await settled(world.site)
        yield world


def _paths(world: World, endpoint: Endpoint, **only: str) -> Iterator[str]:
    """The route for everything there is that its path may name, or for this."""
    known: dict[str, list[str]] = {
        "conv": [*world.convs.values(), *world.rooms.values()],
        "room": [*world.rooms.values(), "~d" + "0" * 32],
        "inbox": [*INBOXES],
        "user": [*PEOPLE],
        "n": [str(n) for n in sorted(world.lines)],
        "i": ["0"],
        "contact": [world.contact],
        "account": ["loopback"],
        "webhook": [hook for hook, _ in world.hooks.values()],
        "media": world.files,
    }
    known |= {name: [value] for name, value in only.items()}
    parts = [part.strip("{}") for part in endpoint.path.split("/") if part.startswith("{")]
    assert set(parts) <= known.keys(), f"{endpoint.path}: say what there is of these"
    for values in itertools.product(*(known[part] for part in parts)):
        path = endpoint.path
        for part, value in zip(parts, values, strict=True):
            path = path.replace("{" + part + "}", quote(value, safe="~"))
        for query in VARIANTS.get(endpoint.path, ("",)):
            yield f"{path}?{query}" if query else path


def _filled(shape: type[msgspec.Struct] | None, **given: Any) -> dict[str, Any]:
    """The fields that it takes; KeyError: say above what one of a new name may be."""
    fields = msgspec.structs.fields(shape) if shape is not None else ()
    known = FILLED | given
    return {f.encode_name: known[f.encode_name] for f in fields if f.required or f.name in given}


def _not_theirs(world: World, user: str) -> Iterator[str]:
    """What they may do nothing about: channels are admins' to manage, and kay's key may act."""
    for name, conv in (*world.convs.items(), *world.rooms.items()):
        manages = user in {*ADMINS, "kay"} and "-" not in name
        if not manages and not world.has(user, conv):
            yield conv


async def test_what_is_hidden_by_default_is_asked_for_of_every_route_that_has_it() -> None:
    assert {e.path for e in READS if e.query is not None} <= VARIANTS.keys() | {SEARCH}


async def _shown(world: World, user: str, path: str) -> set[str]:
    """The words in an answer, and in the file that it leads to."""
    answer = await world.site.call(user, "GET", path)
    assert answer.status_code < 500, (user, path, answer.text)
    text = answer.text
    if answer.status_code == 307:
        text += (await world.site.http.get(answer.headers["location"])).text
    return world.shown_in(text)


@pytest.mark.parametrize("user", PEOPLE)
async def test_every_route_together_shows_exactly_what_one_may_see(world: World, user: str) -> None:
    allowed, found = world.may_see(user), set[str]()
    for endpoint in READS:
        if endpoint.path == SEARCH:
            continue
        for path in _paths(world, endpoint):
            shown = await _shown(world, user, path)
            assert shown <= allowed, (path, shown - allowed)
            found |= shown
    assert found == allowed


async def test_who_has_not_signed_in_is_shown_nothing(world: World) -> None:
    for endpoint in ALL_ENDPOINTS:
        if endpoint.method == "GET":
            for path in _paths(world, endpoint):
                assert not await _shown(world, "", path), path


@pytest.mark.parametrize("user", sorted(PEOPLE.keys() - {"dan"}))
async def test_commands_about_what_is_not_ones_own_are_refused_and_tell_nothing(
    world: World, user: str
) -> None:
    """By HTTP and by the websocket alike; a refusal may come with a row, of what one may see."""
    allowed, peer = world.may_see(user), await world.socket(user)
    for conv in _not_theirs(world, user):
        part = "room" if conv in world.rooms.values() else "conv"
        public = conv in (world.rooms["public"], world.rooms["empty"])
        free = (JOINING if public else set()) | (HOLDING if user in {*ADMINS, "kay"} else set())
        for endpoint in ALL_ENDPOINTS:
            asked = f"{{{part}}}" in endpoint.path and endpoint.method != "GET"
            if asked and endpoint.path.rpartition("/")[2] not in free:
                for path in _paths(world, endpoint, **{part: conv}):
                    body = _filled(endpoint.body)
                    answer = await world.site.call(user, endpoint.method, path, body)
                    assert answer.status_code in {403, 404}, (path, answer.text)
                    assert world.shown_in(answer.text) <= allowed, path
        for name, shape in COMMANDS.items():
            about = {"conv", "inbox"} & {field.name for field in msgspec.structs.fields(shape)}
            if about and name not in free:
                given = {"conv": conv, "inbox": conv.partition(".")[0], "own_tok": "x"}
                frame = await world.ask(peer, Op.CMD, name, _filled(shape, **given))
                assert frame[0] == Op.ERR, (name, conv, frame)
                assert world.shown_in(json.dumps(frame)) <= allowed, (name, frame)


@pytest.mark.parametrize("user", sorted(PEOPLE.keys() - {"dan"}))
async def test_every_frame_that_asks_is_answered_with_what_one_may_see(
    world: World, user: str
) -> None:
    """Also where it names the place of a log that somebody stood at before they had to go."""
    peer, convs = await world.socket(user), (*world.convs.values(), *world.rooms.values())
    logs = [*INBOXES, *world.rooms.values()]
    snaps = [frame for other in world.peers.values() for frame in other.all(Op.SNAP)]
    places = {frame[1]: frame[2:5] for frame in reversed(snaps)}
    assert places.keys() == {*logs}
    asked: dict[Op, list[list[Any]]] = {
        Op.SUB: [
            *([[log, "badge"]] for log in logs),
            *([[log, "list", *places[log]]] for log in logs),
            *([[conv.partition(".")[0], f"conv:{conv}"]] for conv in convs),
        ],
        Op.PAGE: [[log, view, None, 200] for log in logs for view in VIEWS],
        Op.HISTORY: [[conv, 0, 200] for conv in convs],
        Op.CHECK: [[log, [[1, "x"]]] for log in logs],
        Op.GROUP: [
            ["group", "copy", 1000, leave, [[log] for log in logs]] for leave in (False, True)
        ],
    }
    # Commands have a test of their own, and so has who looks; the others ask for nothing.
    silent = {Op.CMD, Op.VIEWING, Op.HELLO, Op.UNSUB, Op.SEEN, Op.REFRESH, Op.PONG}
    assert asked.keys() | silent == CLIENT_FRAMES.keys()
    for op, all_of_it in asked.items():
        for more in all_of_it:
            await world.ask(peer, op, *([more] if op == Op.SUB else more))
    seen = {s.word for s in world.secrets if user in s.now or (user in s.live and user not in GONE)}
    shown = world.shown_in(json.dumps(peer.frames))
    assert shown <= seen
    assert shown >= world.may_see(user, *SAID)


@pytest.mark.parametrize("inbox", ["", "bb"])
async def test_webhooks_are_told_what_is_said_in_their_inboxes_and_nothing_of_rooms(
    world: World, inbox: str
) -> None:
    theirs = {"bob"} if inbox else {"ann", "bob"}
    texts = {s.word for s in world.secrets if s.kind == "text" and s.now & theirs}
    receiver = world.hooks[inbox][1]

    def told() -> set[str]:
        return world.shown_in(json.dumps([told.body for told in receiver.accepted]))

    await eventually(lambda: told() >= texts, what="what was said")
    assert told() == texts


@pytest.mark.parametrize("user", PEOPLE)
async def test_search_finds_exactly_what_one_may_see(world: World, user: str) -> None:
    """Each word by itself, whosever it is; and the beginning that all of them share."""
    found = set[str]()
    for secret in world.secrets:
        shown = await _shown(world, user, f"{SEARCH}?q={secret.word}&limit=50")
        assert shown <= world.may_see(user), (secret.word, shown)
        found |= shown
    shown = await _shown(world, user, f"{SEARCH}?q=zq&limit=50")
    assert shown <= world.may_see(user)
    wanted = world.may_see(user, *SAID, "contact")
    assert found & {s.word for s in world.secrets if s.kind in {*SAID, "contact"}} == wanted
    assert not found & {s.word for s in world.secrets if s.kind in {"version", "hold"}}


@pytest.mark.parametrize("user", PEOPLE)
async def test_history_shows_exactly_what_one_may_see(world: World, user: str) -> None:
    """By HTTP and by the websocket alike, archived lines included."""
    by_http, by_socket = set[str](), set[str]()
    for conv in (*world.convs.values(), *world.rooms.values()):
        kind = "rooms" if conv in world.rooms.values() else "conversations"
        by_http |= await _shown(world, user, f"/v1/{kind}/{conv}/messages?limit=200")
        if user != "dan":
            answer = await world.ask(user, Op.HISTORY, conv, 0, 200)
            answer = answer if answer[0] == Op.ERR else answer[2]["messages"]
            by_socket |= world.shown_in(json.dumps(answer))
    assert by_http & world.may_see(user, *SAID) == world.may_see(user, *SAID)
    assert by_http <= world.may_see(user)
    assert by_socket == by_http


@pytest.mark.parametrize("user", sorted(READERS))
async def test_interactions_are_all_that_is_ones_own_archived_or_not(
    world: World, user: str
) -> None:
    inboxes = {name for name, people in INBOXES.items() if user in {*people, *ADMINS} - GONE}
    wanted = {conv for conv in world.convs.values() if conv.partition(".")[0] in inboxes}
    wanted |= {room for name, room in world.rooms.items() if user in world.people_of[name]}
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await world.act(user, "GET", f"/v1/interactions?limit=3&after={after}")
        found += [(item.get("conversation") or item["room"])["id"] for item in page["items"]]
        after = page["next"]
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize("user", sorted(ADMINS))
async def test_the_export_of_everything_is_of_what_its_maker_may_see(
    world: World, user: str
) -> None:
    shown = await _shown(world, user, "/v1/export")
    assert world.may_see(user, *SAID, "contact") <= shown <= world.may_see(user)


@pytest.mark.parametrize("user", PEOPLE)
async def test_events_are_of_those_who_were_there_when_it_was_said(world: World, user: str) -> None:
    """Every frame of a socket that asked for everything, before and after some had gone."""
    live = {s.word for s in world.secrets if user in s.live | s.now}
    said = {s.word for s in world.secrets if s.kind in {*SAID, "version"} and user in s.live}
    await eventually(lambda: world.heard(user, Op.EV) >= said, what=f"events of {user}")
    assert world.heard(user, Op.EV) & {s.word for s in world.secrets if s.kind in SAID} <= said
    assert world.heard(user) <= live
    for frame in world.peers[user].frames:
        if frame[0] in {Op.OK, Op.ERR, Op.UNSUBD} or (frame[0] == Op.RESET and frame[2] == "perm"):
            continue  # it names what this client named
        text = json.dumps(frame)
        for name, room in world.rooms.items():
            assert room not in text or user in world.ever_of[name], (name, frame)
    if user in GONE - {"dan"}:
        late = {s.word for s in world.secrets if user not in s.live}
        assert not world.heard(user) & late


async def test_who_looks_and_types_is_told_to_those_alone_who_may_look(world: World) -> None:
    """Everybody looks at each room, also at those that are none of theirs."""
    there = [user for user in PEOPLE if user != "dan"]
    for name, room in world.rooms.items():
        people = world.people_of[name] - {"dan"}
        for user in there:
            await world.peers[user].send([Op.VIEWING, room, True])
        for user in people:
            others = people - {user}
            if others:
                seeing = partial(_sees_typing, world, user, room, others)
                await eventually(seeing, what=f"{user} seeing {others}")
        for user in there:
            for frame in world.peers[user].all(Op.TYPING):
                if frame[1] == room:
                    assert user in people, (name, user, frame)
                    assert frame[2].keys() <= people


def _sees_typing(world: World, user: str, room: str, others: set[str]) -> bool:
    frames = world.peers[user].all(Op.TYPING)
    return any(frame[1] == room and others <= frame[2].keys() for frame in frames)


async def test_every_kind_of_secret_was_told_to_somebody_and_kept_from_somebody(
    world: World,
) -> None:
    """Otherwise the tests above would say nothing."""
    kinds = {secret.kind for secret in world.secrets}
    assert kinds == {"name", "text", "post", "version", "contact", "file", "hold"}
    for secret in world.secrets:
        assert secret.now and secret.now < PEOPLE.keys(), secret

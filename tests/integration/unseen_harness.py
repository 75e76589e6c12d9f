"""An organisation full of secrets: each is a word that stands nowhere else, with who may see it."""

from __future__ import annotations

import asyncio
import itertools
import json
import string
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jwt

from batonbox_server.domain.model import Role, inbox_of
from batonbox_server.domain.policy import Scope
from batonbox_server.store.directory_port import Inbox, User
from batonbox_server.wire import JSON_SUBPROTOCOL, Op
from tests.served import Served, served
from tests.support import eventually

from .hooks_harness import QUICK, Receiver, receiving
from .media_harness import uploaded
from .socket_harness import Peer, dial

__all__ = ["READERS", "Secret", "World", "built"]

SECRET: Final = "an embedding application's secret, for tests"
ADMINS: Final = frozenset({"joan", "bea"})
PEOPLE: Final = {
    "ann": Role.MEMBER,  # of inbox A
    "bob": Role.MEMBER,  # of inbox B
    "joan": Role.ADMIN,  # in the private channel
    "bea": Role.ADMIN,  # not in it
    "kay": Role.ADMIN,  # whose key may not read
    "bot": Role.MEMBER,  # of inbox A
    "eve": Role.MEMBER,  # of inbox A, signed in by an embedding application
    "rob": Role.MEMBER,  # taken out of all he was in
    "dan": Role.MEMBER,  # deactivated
    "stan": Role.MEMBER,  # of nothing
}
READERS: Final = frozenset(PEOPLE) - {"kay", "dan"}  # may read what everybody may
INBOXES: Final = {"aa": ("ann", "bot", "eve", "rob", "dan"), "bb": ("bob",)}
NUMBERS: Final = {"aa": "+14165560001", "bb": "+14165560002"}
GONE: Final = frozenset({"rob", "dan"})
FILLERS: Final = 100  # so many lines that some leave the engine


@dataclass(slots=True)
class Secret:
    """A word: who may see it now, and who was there when it was said; what kind of thing it is."""

    word: str
    kind: str
    now: frozenset[str]
    live: frozenset[str]


@dataclass(slots=True)
class World:
    """The node, its secrets and everybody's socket."""

    site: Served
    stack: AsyncExitStack
    secrets: list[Secret] = field(default_factory=list)
    convs: dict[str, str] = field(default_factory=dict)
    rooms: dict[str, str] = field(default_factory=dict)
    people_of: dict[str, set[str]] = field(default_factory=dict)  # of a room, those now in it
    ever_of: dict[str, set[str]] = field(default_factory=dict)
    lines: set[int] = field(default_factory=lambda: {1})  # whose versions and files are asked for
    files: list[str] = field(default_factory=list)
    hooks: dict[str, tuple[str, Receiver]] = field(default_factory=dict)  # by inbox, "" for all
    contact: str = ""
    peers: dict[str, Peer] = field(default_factory=dict)
    ids: Any = field(default_factory=lambda: itertools.count(1))

    # Secrets

    def secret(self, kind: str, now: Iterable[str], live: Iterable[str] | None = None) -> str:
        """A new word."""
        number, letters = next(self.ids), string.ascii_lowercase
        word = f"zq{kind}{letters[number // 26]}{letters[number % 26]}qz"
        seen = frozenset(now)
        self.secrets.append(Secret(word, kind, seen, seen if live is None else frozenset(live)))
        return word

    def shown_in(self, text: str) -> set[str]:
        """The words that stand in it."""
        return {secret.word for secret in self.secrets if secret.word in text.lower()}

    def may_see(self, user: str, *kinds: str) -> set[str]:
        """The words somebody may see now."""
        wanted = [s for s in self.secrets if not kinds or s.kind in kinds]
        return {secret.word for secret in wanted if user in secret.now}

    def of_inbox(self, inbox: str, *, after: bool) -> tuple[frozenset[str], frozenset[str]]:
        """Who may see what is said there: now, and live before or `after` some are gone."""
        members = frozenset(INBOXES[inbox])
        now = (members - GONE) | ADMINS
        return now, now if after else members | ADMINS

    def of_room(self, room: str) -> tuple[frozenset[str], frozenset[str]]:
        """The same of a room; two people's is theirs for as long as they are here."""
        people = frozenset(self.people_of[room])
        return people - ({"dan"} if "-" in room else GONE), people

    def has(self, user: str, conv: str) -> bool:
        """Whether it is of an inbox or a room that they are in, or may look into."""
        for name, room in self.rooms.items():
            if room == conv:
                return user in self.people_of[name]
        return user in ADMINS or user in set(INBOXES[inbox_of(conv)]) - GONE

    # Acting

    async def act(self, user: str, method: str, path: str, body: Any = None) -> Any:
        """A request that succeeds."""
        answer = await self.site.call(user, method, path, body)
        assert answer.is_success, (user, path, answer.text)
        return answer.json() if answer.text else None

    async def room(self, name: str, by: str, members: Iterable[str], *, private: bool) -> None:
        """A channel whose name is a secret of its own."""
        people = {by, *members}
        shown = (people - GONE) | ADMINS if private else READERS
        word = self.secret("name", shown, shown | people | (frozenset() if private else GONE))
        body = {"name": word, "private": private, "members": [*people]}
        self.rooms[name] = (await self.act(by, "POST", "/v1/rooms", body))["conv"]
        self.people_of[name], self.ever_of[name] = people, set(people)

    async def direct(self, one: str, other: str) -> None:
        """The room of two."""
        made = await self.act(one, "POST", "/v1/rooms/direct", {"user": other})
        name = f"{one}-{other}"
        self.rooms[name], self.people_of[name] = made["conv"], {one, other}
        self.ever_of[name] = {one, other}

    async def post(self, name: str, by: str, **more: Any) -> int:
        """A secret among those who are in the room."""
        body = {"text": self.secret("post", *self.of_room(name)), **more}
        done = await self.act(by, "POST", f"/v1/rooms/{self.rooms[name]}/post", body)
        return int(done["n"])

    async def talk(self, *, after: bool) -> None:
        """Something new everywhere, by whoever is there."""
        for inbox, owner in (("aa", "ann"), ("bb", "bob")):
            seen = self.of_inbox(inbox, after=after)
            customer = f"+1647556{next(self.ids):04}"
            text = self.secret("text", *seen)
            conv = await self.site.texts(text, to=NUMBERS[inbox], customer=customer)
            self.convs[f"{inbox}{len(self.convs)}"] = conv
            path = f"/v1/conversations/{conv}"
            await self.act(owner, "POST", f"{path}/assign", {})
            body = {"text": self.secret("text", *seen)}
            await self.act(owner, "POST", f"{path}/reply", body)
            mention = [owner, "joan"]
            note = {"text": self.secret("text", *seen), "mentions": mention}
            await self.act("bea", "POST", f"{path}/note", note)
            if after:
                await self.act(owner, "POST", f"{path}/done", {})  # leaves the engine in the end
        for name, people in self.people_of.items():
            here = sorted(people - {"dan"})
            await self.post(name, here[0], mentions=here)

    async def secrets_of_other_kinds(self) -> None:
        """An address book, files, what stood in posts, holds, messages that nobody routed."""
        body = {"name": self.secret("contact", READERS), "note": self.secret("contact", READERS)}
        made = await self.act("stan", "POST", "/v1/contacts", {**body, "numbers": ["+16475569999"]})
        self.contact = made["id"]
        room = self.rooms["private"]
        for verb, more in (("edit", {"text": "tame"}), ("delete", {})):
            n = await self.post("private", "ann")
            self.lines.add(n)
            path = f"/v1/rooms/{room}/{verb}"
            await self.act("ann", "POST", path, {"n": n, **more})
            said = self.secrets[-1]
            said.kind, said.now = "version", frozenset({"joan"})
        for name, by in (("private", "ann"), ("ann-bob", "bob")):
            self.lines.add(await self.file(name, by))
        conv = self.convs[min(self.convs)]
        held = {"on": True, "reason": self.secret("hold", ADMINS)}
        await self.act("bea", "POST", f"/v1/conversations/{conv}/hold", held)
        await self.site.call(
            "admin", "POST", "/v1/loopback/inbound",
            {"from": "+16475569998", "to": "+14165569997", "text": self.secret("hold", ADMINS)},
        )  # fmt: skip

    async def file(self, name: str, by: str) -> int:
        """A post with a file whose name and text are secrets."""
        word, inside = (self.secret("file", *self.of_room(name)) for _ in range(2))
        media = await uploaded(
            self.site, inside.encode(), "text/plain", user=by, name=f"{word}.txt"
        )
        self.files.append(media)
        return await self.post(name, by, media=[media])

    async def hook(self, inbox: str) -> None:
        """A webhook that is told all there is, of one inbox or (`""`) of all."""
        receiver = await self.stack.enter_async_context(receiving())
        body = {"url": receiver.url, "inboxes": [inbox] if inbox else []}
        made = await self.act("bea", "POST", "/v1/admin/webhooks", body)
        self.hooks[inbox] = made["id"], receiver

    # Sockets

    async def connect(self) -> None:
        """Everybody's socket, listening to everything as far as the node lets them."""
        for user in PEOPLE:
            self.peers[user] = await self.socket(user)
        await self.listen()

    async def socket(self, user: str) -> Peer:
        """A connection that listens to nothing yet."""
        peer = await dial(self.site, JSON_SUBPROTOCOL)
        self.stack.push_async_callback(peer.end)
        await peer.send([Op.HELLO, await self.site.token(user), "test/1"])
        await peer.got(Op.ORG, _1="state")
        return peer

    async def listen(self) -> None:
        """Ask for every inbox and room there is."""
        for user in PEOPLE:
            if self.peers[user].ws.close_code is None:
                for name in (*INBOXES, *self.rooms.values()):
                    await self.ask(user, Op.SUB, [[name, "list"]])

    async def ask(self, user: str | Peer, op: Op, *more: Any) -> list[Any]:
        """A request's answer, OK or ERR; [] when the connection is closed."""
        peer, request = self.peers[user] if isinstance(user, str) else user, next(self.ids)
        await peer.send([op, request, *more])

        def answers() -> list[Any]:
            both = (*peer.all(Op.OK), *peer.all(Op.ERR))
            return [frame for frame in both if frame[1] == request]

        await eventually(lambda: answers() or peer.ws.close_code is not None)
        return list(answers()[0]) if answers() else []

    def heard(self, user: str, *ops: Op) -> set[str]:
        """The words in the frames somebody got."""
        frames = [f for f in self.peers[user].frames if not ops or f[0] in ops]
        return self.shown_in(json.dumps(frames))


@asynccontextmanager
async def built(engine_url: str, space: str, folder: Path) -> AsyncIterator[World]:
    """The organisation, everything said; those who went are gone, and what is old is archived."""
    settings: dict[str, Any] = {
        "empty": True, "jwt_secret": SECRET, "archive_url": f"sqlite://{folder}/archive.sqlite",
        "archive_keep_messages": 1, "archive_done_days": 0.0, "archive_sweep_s": 3600.0,
        "ping_s": 3600.0,  # the sockets answer none
        **QUICK,
    }  # fmt: skip
    async with served(engine_url, space, **settings) as site, AsyncExitStack() as stack:
        world = World(site, stack)
        await _people(world)
        for inbox in ("", "bb"):
            await world.hook(inbox)
        await world.room("public", "joan", ("ann", "bob", "bot", "eve", "rob"), private=False)
        await world.room("empty", "bea", ("bob",), private=False)
        await world.act("bea", "POST", f"/v1/rooms/{world.rooms['empty']}/leave", {})
        world.people_of["empty"] = {"bob"}
        await world.room("private", "joan", ("ann", "rob", "dan"), private=True)
        for one, other in (("ann", "bob"), ("ann", "dan"), ("joan", "bea"), ("rob", "stan")):
            await world.direct(one, other)
        await world.connect()
        await world.talk(after=False)
        await _leave(world)
        await world.listen()
        await world.talk(after=True)
        await world.secrets_of_other_kinds()
        await _archived(world)
        yield world


async def _people(world: World) -> None:
    administration = world.site.node.administration
    for user, role in PEOPLE.items():
        await administration.create_user(User(user, user.title(), role, bot=user == "bot"))
    for inbox, members in INBOXES.items():
        name = world.secret("name", *world.of_inbox(inbox, after=False))
        number = (NUMBERS[inbox],)
        await administration.create_inbox(Inbox(inbox, name, members, number))
    tokens, identity = world.site._tokens, world.site.node.identity
    _, tokens["kay"] = await identity.make_token(user="kay", scopes=[Scope.ACT])
    claims = {"sub": "eve", "exp": int(time.time()) + 3600}
    tokens["eve"] = jwt.encode(claims, SECRET, algorithm="HS256")
    tokens["admin"] = await world.site.token("joan")  # as whom `texts` asks


async def _archived(world: World) -> None:
    """Until what is done, and the beginning of the private channel, have left the engine."""
    room, site = world.rooms["private"], world.site
    for _ in range(FILLERS):
        await world.act("ann", "POST", f"/v1/rooms/{room}/post", {"text": "filler"})
    keys, execute = site.node.keys, site.node.client.execute
    done = [conv for conv in world.convs.values() if await _is_done(site, conv)]
    assert done, "nothing to archive"
    for _ in range(200):
        site.node.archiver.hurry()
        await site.node.archiver.sweep()
        lines = await execute("LLEN", f"{keys.inbox(room)}:m:{room}")
        rows = [await execute("EXISTS", f"{keys.inbox(inbox_of(c))}:c:{c}") for c in done]
        if lines < FILLERS and not any(rows):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"never archived: {lines} lines, {rows}")


async def _is_done(site: Served, conv: str) -> bool:
    return bool((await site.get("joan", f"/v1/conversations/{conv}"))["status"] == "done")


async def _leave(world: World) -> None:
    for name in ("public", "private"):
        path = f"/v1/rooms/{world.rooms[name]}/remove"
        await world.act("joan", "POST", path, {"user": "rob"})
    await world.act("bea", "DELETE", "/v1/admin/inboxes/aa/members/rob")
    await world.act("bea", "POST", "/v1/admin/users/dan/deactivate")
    for name in ("public", "private", "ann-dan"):
        world.people_of[name] -= GONE

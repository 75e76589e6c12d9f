"""One node for a module's tests, people of every standing, and every action on every transport."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
import msgspec

from batonbox import ApiError, Client, Conversation, Row
from batonbox_server.domain.model import Delivery, InboxOptions, Role
from batonbox_server.domain.policy import Action, Held, Standing
from batonbox_server.errors import CODES
from batonbox_server.store.directory_port import Inbox, User
from batonbox_server.wire import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, Op
from tests.served import Served, served
from tests.support import eventually

from .sign_in_harness import Browser, person
from .socket_harness import Peer, dial

__all__ = ["ACTS", "WHO", "Case", "House", "Who", "housed"]

_CELLS_PER_INBOX: Final = 25
_SENDING: Final = frozenset({Action.REPLY, Action.COMPOSE, Action.RETRY})
BODY: Final = bytes(msgpack.packb({"text": "hello", "media": []}))
COLLEAGUE, RIVAL = "pat", "otto"  # a member to hand over to, and who has what somebody else has
PEOPLE: Final = (
    User("mia", "Mia", Role.MEMBER),
    User("bot", "A bot", Role.MEMBER, bot=True),
    User(COLLEAGUE, "Pat", Role.MEMBER),
    User(RIVAL, "Otto", Role.MEMBER),
    User("stan", "Stan", Role.MEMBER),
    User("joan", "Joan", Role.ADMIN),
    User("bea", "Bea", Role.ADMIN),
)
MEMBERS: Final = ("mia", "bot", COLLEAGUE, RIVAL, "joan")
BOTS: Final = frozenset({"bot"})


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody with a standing, and who has the conversation while they act."""

    user: str
    standing: Standing
    held: Held

    def __str__(self) -> str:
        return f"{self.user}-{self.held.name.lower()}"


WHO: Final = (
    Who("stan", Standing.STRANGER, Held.NOBODY),
    Who("stan", Standing.STRANGER, Held.OTHER),
    *(Who("mia", Standing.MEMBER, held) for held in Held),
    *(Who("bot", Standing.MEMBER, held) for held in Held),
    *(Who("joan", Standing.ADMIN, held) for held in Held),
    Who("bea", Standing.ADMIN, Held.NOBODY),  # stands beside the inbox: holding one joins it
    Who("bea", Standing.ADMIN, Held.OTHER),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation of its own, as it is before somebody acts on it."""

    inbox: str
    conv: str
    customer: str
    user: str
    row: dict[str, Any]
    failed: int


@dataclass(slots=True)
class House:
    """The node, and each person's lines to it; they sign in as people and bots do."""

    site: Served
    stack: AsyncExitStack
    peers: dict[str, Peer] = field(default_factory=dict)
    browsers: dict[str, Browser] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    ids: Any = field(default_factory=lambda: itertools.count(1))
    programs: frozenset[str] = BOTS  # who signs in by API token
    members: tuple[str, ...] = MEMBERS
    boxes: dict[Any, tuple[str, str, int]] = field(default_factory=dict)

    async def browser(self, user: str) -> Browser:
        """A person's browser, signed in by password."""
        if user not in self.browsers:
            self.browsers[user] = await person(self.site, user)
        return self.browsers[user]

    async def http(self, user: str, method: str, path: str, body: Any = None) -> Any:
        """A request: people by cookie, bots by API token."""
        if user in self.programs:
            return await self.site.call(user, method, path, body)
        return await (await self.browser(user)).call(method, path, body)

    async def peer(self, user: str) -> Peer:
        """A websocket: people in JSON by cookie, bots in MessagePack by API token."""
        if user not in self.peers:
            bot = user in self.programs
            headers = {}
            if not bot:
                browser = await self.browser(user)
                headers = {"cookie": browser.cookie, "origin": browser.origin}
            codec = MSGPACK_SUBPROTOCOL if bot else JSON_SUBPROTOCOL
            peer = await dial(self.site, codec, additional_headers=headers)
            self.stack.push_async_callback(peer.end)
            await peer.send([Op.HELLO, await self.site.token(user) if bot else "", "test/1"])
            await peer.got(Op.WELCOME)
            self.peers[user] = peer
        return self.peers[user]

    async def client(self, user: str) -> Client:
        """An SDK client: bots by API token, people by a connection token of their session."""
        if user not in self.clients:
            token = await self.site.token(user) if user in self.programs else ""
            if not token:
                answer = await self.http(user, "POST", "/v1/connection-tokens")
                token = answer.json()["token"]
            self.clients[user] = await self.stack.enter_async_context(Client(self.site.url, token))
        return self.clients[user]

    async def ask(self, user: str, op: Op, *more: Any) -> tuple[str, Any]:
        """A websocket request; the slug of the refusal or "", and what came."""
        peer, request = await self.peer(user), next(self.ids)
        await peer.send([op, request, *more])

        def answers() -> list[Any]:
            both = (*peer.all(Op.OK), *peer.all(Op.ERR))
            return [frame for frame in both if frame[1] == request]

        await eventually(answers)
        frame = answers()[0]
        return ("", frame[2]) if frame[0] == Op.OK else (frame[3], frame)

    async def inbox(self, *, lets: bool) -> tuple[str, str]:
        """A new inbox and its number."""
        number = f"+1416556{next(self.ids):04}"
        name = f"box{number[-4:]}"
        await self.site.node.administration.create_inbox(Inbox(name, name, self.members, (number,)))
        if lets:
            options = InboxOptions(members_may_dispatch=True)
            await self.site.node.store.set_options(inbox=name, options=options, at=2**40)
        return name, number

    async def shared(self, *, lets: bool) -> tuple[str, str]:
        """An inbox that some other cells have, too: each inbox makes the directory longer."""
        key = (self.members, lets)
        inbox, our, used = self.boxes.get(key, ("", "", _CELLS_PER_INBOX))
        if used == _CELLS_PER_INBOX:
            (inbox, our), used = await self.inbox(lets=lets), 0
        self.boxes[key] = (inbox, our, used + 1)
        return inbox, our

    async def receive(self, inbox: str, our: str, customer: str) -> str:
        """A customer's message."""
        received = await self.site.node.store.receive(
            inbox=inbox, our=our, customer=customer, provider_id=uuid.uuid4().hex, body=BODY,
            preview="hello",
        )  # fmt: skip
        return received.conv

    async def row(self, conv: str) -> dict[str, Any]:
        """As the store has it."""
        thread = await self.site.node.store.history(conv=conv, actor=COLLEAGUE, before=0, n=1)
        return thread.row

    async def seq(self, inbox: str) -> int:
        """The end of the inbox's log."""
        node = self.site.node
        return (await node.store.head(log=node.keys.inbox(inbox))).seq

    async def case(self, action: Action, who: Who, *, lets: bool = False) -> Case:
        """The conversation in the state the cell speaks of; `lets`: members may hand out."""
        # One's own where a cell may join somebody, or leaves a message that is sent later.
        joins = who.standing is Standing.ADMIN and who.user not in self.members
        alone = joins or action in _SENDING
        inbox, our = await (self.inbox(lets=lets) if alone else self.shared(lets=lets))
        customer = f"+1647556{next(self.ids):04}"
        conv = await self.receive(inbox, our, customer)
        holder = {Held.NOBODY: "", Held.CALLER: who.user, Held.OTHER: RIVAL}[who.held]
        failed = 1
        if holder:
            store = self.site.node.store
            await store.assign(conv=conv, actor=holder, cid=uuid.uuid4().hex)
            if action is Action.RETRY:
                sent = await store.reply(
                    conv=conv, actor=holder, cid=uuid.uuid4().hex, own_tok="", body=BODY,
                    preview="hello", seen="",
                )  # fmt: skip
                failed = sent.n
                (item,) = await store.lease_outbox(inbox=inbox, lease_ms=60_000, n=1)
                await store.sent(conv=conv, n=item.n, state=Delivery.FAILED)
        return Case(inbox, conv, customer, who.user, await self.row(conv), failed)

    # Acting

    async def by_http(self, action: Action, case: Case) -> str:
        """The refusal's slug, or ""."""
        paths = {
            Action.SIGN_IN: ["/v1/me"],
            Action.ACCOUNT: ["/v1/sessions"],
            Action.ADMINISTER: ["/v1/admin/users", "/v1/admin/unrouted"],
            Action.SIMULATE: ["/v1/loopback/numbers"],
            Action.SEE: [
                f"/v1/inboxes/{case.inbox}",
                f"/v1/conversations?inbox={case.inbox}",
                f"/v1/conversations/{case.conv}",
                f"/v1/conversations/{case.conv}/messages",
            ],
        }
        if action in paths:
            return _agreed([_told(await self.http(case.user, "GET", p)) for p in paths[action]])
        if action is Action.COMPOSE:
            body = {"to": case.customer, "text": "x"}
            return _told(
                await self.http(case.user, "POST", f"/v1/inboxes/{case.inbox}/compose", body)
            )
        if action is Action.CONTACTS:
            return _told(await self.http(case.user, "POST", "/v1/contacts", {"name": "Lee"}))
        if action in _OF_ROOMS:
            path, ((_, args),) = _OF_ROOMS[action], _commands(action, case)
            return _told(await self.http(case.user, "POST", path, args))
        told = []
        for name, args in _commands(action, case):
            path = f"/v1/conversations/{case.conv}/{name}"
            told.append(_told(await self.http(case.user, "POST", path, args)))
        if action is Action.MARK:
            path, body = f"/v1/conversations/{case.conv}/seen", {"att": case.row["att"]}
            told.append(_told(await self.http(case.user, "POST", path, body)))
        return _agreed(told)

    async def by_socket(self, action: Action, case: Case) -> str:
        """The same."""
        if action is Action.SEE:
            told = [
                (await self.ask(case.user, Op.PAGE, case.inbox, "open"))[0],
                (await self.ask(case.user, Op.HISTORY, case.conv))[0],
                (await self.ask(case.user, Op.CHECK, case.inbox, []))[0],
            ]
            share = ["walk", "copy", 1000, True, [[case.inbox]]]
            slug, result = await self.ask(case.user, Op.GROUP, *share)
            number = 0 if slug else result["shares"][0][1]
            told.append(_slug(number) if number else slug)
            for level in ("list", "badge", f"conv:{case.conv}"):
                _, result = await self.ask(case.user, Op.SUB, [[case.inbox, level]])
                ((_, how, number),) = result["subs"]
                told.append(_slug(number) if how == "refused" else "")
            await (await self.peer(case.user)).send([Op.UNSUB, [case.inbox]])
            return _agreed(told)
        told = []
        for name, args in _commands(action, case):
            where = {"inbox": case.inbox} if name == "compose" else {"conv": case.conv}
            where = {} if action in _OF_ROOMS else where
            given = {"cid": uuid.uuid4().hex, **where, **args}
            told.append((await self.ask(case.user, Op.CMD, name, given))[0])
        return _agreed(told)

    async def by_sdk(self, action: Action, case: Case) -> str:
        """The same, by the SDK's own verbs."""
        client = await self.client(case.user)
        client._in.rows.put(case.row)  # known from before: the command itself is sent and judged
        conv = Conversation(client, msgspec.convert(case.row, Row))
        told = []
        for verb in ACTS[action]:
            try:
                await verb(client, conv, case)
                told.append("")
            except ApiError as error:
                told.append(error.slug)
        return _agreed(told)


async def _listen(client: Client, _: Conversation, case: Case) -> None:
    async with client.events(inbox=case.inbox) as events:
        if case.user == "stan":
            await anext(events)


async def _list(client: Client, _: Conversation, case: Case) -> None:
    async for _row in client.conversations(inbox=case.inbox):
        pass


Verb = Callable[[Client, Conversation, Case], Awaitable[Any]]
# The SDK's verbs by action; `tests/integration/test_policy.py` finds those that are missing.
ACTS: Final[dict[Action, tuple[Verb, ...]]] = {
    Action.SEE: (
        lambda client, conv, case: client.conversation(case.conv),
        lambda client, conv, case: conv.refresh(),
        lambda client, conv, case: conv.history(),
        _list,
        _listen,
    ),
    Action.MARK: (lambda client, conv, case: conv.unread(),),
    Action.ASSIGN: (lambda client, conv, case: conv.claim(),),
    Action.DISPATCH: (lambda client, conv, case: conv.assign(COLLEAGUE),),
    Action.TRANSFER: (lambda client, conv, case: conv.transfer(COLLEAGUE),),
    Action.TAKE_OVER: (lambda client, conv, case: conv.transfer(case.user),),
    Action.RETURN: (lambda client, conv, case: conv.release(),),
    Action.FINISH: (lambda client, conv, case: conv.done(),),
    Action.UNDO: (lambda client, conv, case: conv.undo(),),
    Action.REPLY: (lambda client, conv, case: conv.reply("x"),),
    Action.COMPOSE: (
        lambda client, conv, case: client.compose(case.inbox, case.customer, "x"),
    ),
    Action.RETRY: (lambda client, conv, case: conv.retry(case.failed),),
    Action.SNOOZE: (
        lambda client, conv, case: conv.snooze(seconds=60),
        lambda client, conv, case: conv.wake(),
    ),
    Action.NOTE: (lambda client, conv, case: conv.note("x"),),
    Action.TALK: (lambda client, conv, case: client.open_dm(COLLEAGUE),),
    Action.CHANNELS: (
        lambda client, conv, case: client.create_channel(uuid.uuid4().hex),
    ),
}  # fmt: skip
# Of no inbox: those of one room are walked in test_room_permissions.py.
_OF_ROOMS: Final = {Action.TALK: "/v1/rooms/direct", Action.CHANNELS: "/v1/rooms"}


def _commands(action: Action, case: Case) -> list[tuple[str, dict[str, Any]]]:
    """The wire's command for an action, with the present owner's token where one is asked for."""
    own = {"own_tok": case.row["own_tok"]}
    if action is Action.SNOOZE:
        until_ms = round(1000 * time.time()) + 60_000
        return [("snooze", {"until_ms": until_ms, **own}), ("wake", own)]
    found: dict[Action, tuple[str, dict[str, Any]]] = {
        Action.MARK: ("unread", {}),
        Action.ASSIGN: ("assign", {}),
        Action.DISPATCH: ("assign", {"to": COLLEAGUE}),
        Action.TRANSFER: ("transfer", {"to": COLLEAGUE, **own}),
        Action.TAKE_OVER: ("transfer", {"to": case.user, **own}),
        Action.RETURN: ("return", own),
        Action.FINISH: ("done", {"seen": case.row["in_seq"], **own}),
        Action.UNDO: ("undo", own),
        Action.REPLY: ("reply", {"text": "x", **own}),
        Action.COMPOSE: ("compose", {"to": case.customer, "text": "x"}),
        Action.RETRY: ("retry", {"n": case.failed}),
        Action.NOTE: ("note", {"text": "x"}),
        Action.TALK: ("open_dm", {"user": COLLEAGUE}),
        Action.CHANNELS: ("create", {"name": uuid.uuid4().hex}),
    }
    return [found[action]]


def _told(answer: Any) -> str:
    return "" if answer.is_success else str(answer.json()["code"])


def _slug(number: int) -> str:
    return next(code.slug for code in CODES.values() if code.number == number)


def _agreed(told: list[str]) -> str:
    assert told, "nothing was asked"
    assert len(set(told)) == 1, f"answered differently: {told}"
    return told[0]


@asynccontextmanager
async def housed(engine_url: str, space: str) -> AsyncIterator[House]:
    """The node with its people; its outbox looks so rarely that tests may lease by hand.

    Its sockets wait for their turn through all other cells, and answer no PING.
    """
    settings: dict[str, Any] = {
        "empty": True,
        "outbox_sweep_s": 3600.0,
        "ping_s": 3600.0,
        "check_interval_s": 10.0,  # of hundreds of logs at the end
    }
    async with served(engine_url, space, **settings) as site, AsyncExitStack() as stack:
        for user in PEOPLE:
            await site.node.administration.create_user(user)
        yield House(site, stack)

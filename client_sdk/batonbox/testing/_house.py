"""A server without a network: connections in this process, in the frames of the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from batonbox._client import Client
from batonbox._http import Http
from batonbox._models import Row
from batonbox._transport import ABNORMAL, Closed, Codec
from batonbox._wire import (
    COMMANDS,
    ERRORS,
    JSON_SUBPROTOCOL,
    MSGPACK_SUBPROTOCOL,
    Frame,
    Op,
    decode,
    encode,
)
from batonbox.testing._box import Box, Refused
from batonbox.testing._office import VERBS, carry_out

__all__ = ["House", "WiredClient"]

NOWHERE: Final = "http://bot-tester.invalid"
# Longer than any test: nobody is taken for dead for being quiet.
PING_S: Final = 1e6
_NUMBERS: Final = {slug: number for number, (slug, _, _) in ERRORS.items()}
_OPEN: Final = frozenset({"unassigned", "assigned"})
_VIEWS: Final[Mapping[str, Callable[[Row, str], bool]]] = {
    "open": lambda row, _: row.status in _OPEN,
    "unassigned": lambda row, _: row.status == "unassigned",
    "mine": lambda row, me: row.assignee == me,
    "others": lambda row, me: row.assignee not in {"", me},
    "done": lambda row, _: row.status == "done",
}


class House:
    """The organisation, and whoever is connected.

    `ran(user, command, args, error)` hears of each command, with the word by which it was refused,
    or ""; `happened(row, meta, body)` of each event.
    """

    def __init__(
        self,
        *,
        now_s: Callable[[], float],
        ran: Callable[[str, str, dict[str, Any], str], None],
        happened: Callable[[Row, Mapping[str, Any], Any], None],
    ) -> None:
        self.boxes: dict[str, Box] = {}
        self.now_s = now_s
        self.moves = 0  # counts every frame, either way
        self._ran, self._happened = ran, happened
        self._wires: set[Wire] = set()

    def add_box(self, inbox: str, number: str, members: Mapping[str, str]) -> None:
        """Another inbox."""
        self.boxes[inbox] = Box(inbox, number, dict(members), self.now_ms, self._tell)

    def now_ms(self) -> int:
        """Epoch ms."""
        return round(1000 * self.now_s())

    def box_of(self, conv: str) -> Box:
        """The inbox of a conversation, or with this id; raises Refused."""
        box = self.boxes.get(conv.partition(".")[0])
        if box is None:
            raise Refused("not_found")
        return box

    def run(self, user: str, command: str, args: dict[str, Any]) -> dict[str, Any]:
        """A command; raises Refused."""
        error = ""
        try:
            _check(command, args)
            box = self.box_of(str(args.get("conv") or args.get("inbox") or ""))
            return carry_out(box, user, command, args)
        except Refused as refused:
            error = refused.slug
            raise
        finally:
            self._ran(user, command, args, error)

    async def connect(self, url: str, *, codec: Codec, timeout_s: float) -> Wire:  # noqa: ARG002
        """What opens connections; the token is the user."""
        wire = Wire(self, codec)
        self._wires.add(wire)
        return wire

    def left(self, wire: Wire) -> None:
        """It is closed."""
        self._wires.discard(wire)

    def _tell(self, box: Box) -> None:
        _, meta, body, _ = box.events[-1]
        self._happened(meta["row"], meta, body)
        for wire in list(self._wires):
            wire.tell(box)


class Wire:
    """One connection, as a client has it (`Transport`), and the server's side of it."""

    def __init__(self, house: House, codec: Codec) -> None:
        self._house = house
        self._subprotocol = JSON_SUBPROTOCOL if codec == "json" else MSGPACK_SUBPROTOCOL
        self._incoming: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._user = ""
        self._follows: set[str] = set()

    # The client's side

    async def send(self, data: bytes) -> None:
        """What the client says is answered at once."""
        for frame in decode(data, self._subprotocol):
            self._house.moves += 1
            self._take(frame)

    async def receive(self) -> bytes:
        """The next frame."""
        data = await self._incoming.get()
        if data is None:
            raise Closed(ABNORMAL, "closed")
        self._house.moves += 1
        return data

    async def close(self, code: int = 1000) -> None:  # noqa: ARG002
        """It has ended."""
        self.cut()

    def cut(self) -> None:
        """It has ended."""
        self._house.left(self)
        self._incoming.put_nowait(None)

    # The server's

    def tell(self, box: Box) -> None:
        """The newest event of an inbox that is followed."""
        if box.id in self._follows:
            self._event(box, -1)

    def _take(self, frame: Frame) -> None:
        match frame:
            case [Op.HELLO, user, *_]:
                self._welcome(str(user))
            case [Op.UNSUB, inboxes, *_]:
                self._follows -= set(inboxes)
            case [Op.SEEN | Op.PONG | Op.VIEWING, *_]:
                pass
            case [op, request, *rest]:
                self._answer(op, request, rest)

    def _answer(self, op: int, request: int, rest: list[Any]) -> None:
        try:
            self._say(Op.OK, request, self._result(op, rest))
        except Refused as refused:
            number = _NUMBERS.get(refused.slug, 107)
            message = refused.message or ERRORS[number][2]
            self._say(Op.ERR, request, number, refused.slug, message, None, refused.cur)

    def _result(self, op: int, rest: list[Any]) -> dict[str, Any]:
        match op, rest:
            case Op.SUB, [items, *_]:
                return {"subs": [self._subscribe(*item) for item in items]}
            case Op.CMD, [command, args, *_]:
                return self._house.run(self._user, command, args)
            case Op.PAGE, [inbox, view, *_]:
                box = self._mine(inbox)
                found = [row for row in box.rows.values() if _VIEWS[view](row, self._user)]
                found.sort(key=lambda row: (row.last_ms, row.id), reverse=True)
                return {"rows": found, "next": None, "seq": box.seq, "tip": box.tip}
            case Op.HISTORY, [conv, before, n, *_]:
                box = self._mine(conv)
                row = box.row({"conv": conv})
                lines = [line for line in box.lines[conv] if not before or line[0] < before]
                more = lines[-n][0] if len(lines) > n else 0
                return {"row": row, "messages": lines[-n:], "next": more, "seq": box.seq}
            case Op.CHECK, _:
                return {"missing": []}
        raise Refused("unknown_op", "BotTester does not play that: test it with LocalServer")

    def _mine(self, conv: str) -> Box:
        box = self._house.box_of(conv)
        if self._user not in box.members:
            raise Refused("forbidden")
        return box

    def _welcome(self, user: str) -> None:
        self._user = user
        boxes = [box for box in self._house.boxes.values() if user in box.members]
        role = boxes[0].members[user] if boxes else "member"
        inboxes = [
            {"id": b.id, "name": b.id, "numbers": [b.number], "members": list(b.members)}
            for b in boxes
        ]
        me = {"id": user, "name": user, "role": role}
        self._say(Op.WELCOME, "tester", user, PING_S, {}, "tester", 0, self._house.now_ms())
        self._say(Op.ORG, "state", {"user": me, "inboxes": inboxes, "users": [me]})
        self._say(Op.ROOMS, [])

    def _subscribe(
        self, inbox: str, _: str, epoch: str | None = None, seq: int = 0, *__: Any
    ) -> list[Any]:
        try:
            box = self._mine(inbox)
        except Refused as refused:
            number = _NUMBERS[refused.slug]
            self._say(Op.UNSUBD, inbox, number)
            return [inbox, "refused", number]
        self._follows.add(inbox)
        if epoch == box.epoch:
            for at in range(seq, len(box.events)):
                self._event(box, at)
            return [inbox, "resumed", 0]
        rows = [row for row in box.rows.values() if row.status in _OPEN]
        self._say(Op.SNAP, inbox, box.epoch, box.seq, box.tip, {}, {}, rows)
        return [inbox, "snapshot", 0]

    def _event(self, box: Box, at: int) -> None:
        seq, meta, body, tip = box.events[at]
        self._say(Op.EV, box.id, seq, meta, body, tip)

    def _say(self, op: Op, *rest: Any) -> None:
        self._house.moves += 1
        self._incoming.put_nowait(encode([int(op), *rest], self._subprotocol))


class WiredClient(Client):
    """The real client, on such a connection, as this user."""

    def __init__(self, house: House, user: str) -> None:
        super().__init__(NOWHERE, user)
        self._house = house
        self._connection._opener = house.connect

    def server_time_s(self) -> float:
        """The test's clock."""
        return self._house.now_s()

    async def _http(self) -> Http:
        raise NotImplementedError(
            "BotTester has no files, contacts, channels or search: test that with LocalServer"
        )


def _check(command: str, args: dict[str, Any]) -> None:
    if command not in VERBS:
        raise Refused("bad_request", f"BotTester does not play {command}: test it with LocalServer")
    try:
        msgspec.convert(args, COMMANDS[command])
    except msgspec.ValidationError as error:
        raise Refused("bad_request", str(error)) from None

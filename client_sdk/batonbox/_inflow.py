"""What arrives, and whom it concerns: requests' answers, rows, streams, badges."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from batonbox import _session as on
from batonbox._errors import ApiError, BatonboxError, Forbidden, NotFound, api_error
from batonbox._events import Event, Resync
from batonbox._known import Known
from batonbox._models import Badge, Inbox, Position, User, Write, row_of
from batonbox._requests import Request, Requests
from batonbox._streams import EventStream, Latest
from batonbox._tasks import cancel_all, spawn
from batonbox._watching import People
from batonbox._wire import ERRORS, Frame, Op
from batonbox._writes import Writes

if TYPE_CHECKING:
    from batonbox._connection import Connection

__all__ = ["Inflow"]

RESUBSCRIBE_S = 1.0
_NOT_MINE = (Forbidden, NotFound)
_log = logging.getLogger("batonbox")


class Inflow:
    """Everything the read loop touches; it never awaits user code."""

    connection: Connection

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self.session = on.Session()
        self.requests = Requests(clock=clock)
        self.known = Known()
        self.rows, self.rooms = self.known.rows, self.known.rooms
        self.writes = Writes()
        self.badges: dict[str, Badge] = {}
        self.streams: set[EventStream] = set()
        self.badge_streams: set[Latest[str, Badge]] = set()
        self.people = People(self._said)
        self.ahead_s = 0.0  # how far the server's clock is ahead of ours
        self.user = User(id="")
        self.degraded = False
        self.retry_s = RESUBSCRIBE_S
        self._inboxes: dict[str, Inbox] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._refused: set[str] = set()  # inboxes of mine that were not to be had at first
        self._error: Exception | None = None

    def start(self) -> None:
        """Bind to the running loop."""
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._org = asyncio.Event()

    async def ready(self) -> None:
        """Until the first WELCOME and the organisation's state; raises why there is none."""
        await asyncio.shield(self._ready)
        await self._org.wait()

    async def organisation(self) -> dict[str, Inbox]:
        """Inboxes I may see."""
        self.check()
        return self._inboxes

    def check(self) -> None:
        """Raises why there will be no connection any more."""
        if self._error is not None:
            raise self._error

    async def aclose(self) -> None:
        """End what the read loop started."""
        await cancel_all(self._tasks)

    def request(
        self,
        op: Op,
        *rest: Any,
        command: str = "",
        cid: str = "",
        conv: str = "",
        inbox: str = "",
    ) -> Request:
        """Line up a request; its `answer` is OK's map or an exception."""
        self.check()
        number = self.session.next_id()
        answer = asyncio.get_running_loop().create_future()
        frame = [int(op), number, *rest]
        request = Request(number, frame, answer, command, cid, conv, inbox)
        self.requests.add(request)
        self._flush()
        return request

    async def follow(
        self, inboxes: list[str], *, since: Position | None = None, if_mine: bool = False
    ) -> None:
        """Follow at level `list` and wait until nothing can be missed any more.

        `if_mine`: what is none of mine any more is left out instead of raised.
        """
        loop = asyncio.get_running_loop()
        waits = []
        fresh = [i for i in inboxes if self.session.position(i) is None]
        for inbox in fresh:
            waits.append(loop.create_future())
            self._waiting.setdefault(inbox, []).append(waits[-1])
        asked = [i for i in fresh if i not in self.session.follows]
        for inbox in asked:
            self.session.follow(inbox, since=since)
        if asked and self.connection.state == "connected":
            self.session.subscribe(asked)
            self._flush()
        try:
            found = await asyncio.gather(*waits, return_exceptions=if_mine)
            for error in found:
                if isinstance(error, BaseException) and not isinstance(error, _NOT_MINE):
                    raise error
        finally:
            for wait in waits:
                wait.cancel()

    def go_back(self, inboxes: list[str]) -> None:
        """Follow these anew, from further back; streams drop what they know already."""
        for inbox in inboxes:
            self.session.unfollow(inbox)

    def begins_now(self, stream: EventStream, inboxes: list[str]) -> None:
        """What came before is not for this stream, even if another goes back to it."""
        for inbox in inboxes:
            position = self.session.position(inbox)
            if position is not None:
                stream.begin(inbox, position.seq)

    def unfollow_unwanted(self) -> None:
        """Inboxes without a stream go back to level `badge`."""
        for inbox in list(self.session.follows):
            if not any(stream.follows(inbox) for stream in self.streams):
                self.session.unfollow(inbox)
        self._flush()

    def acknowledged(self, request: Request, args: dict[str, Any], result: dict[str, Any]) -> None:
        """My command took effect."""
        if result.get("tip"):
            seq, tip = int(result["seq"]), str(result["tip"])
            inbox = request.inbox or str(result.get("inbox") or "")
            self.writes.add(Write(inbox, request.command, request.cid, seq, tip))
        self.rows.acknowledged(request.command, args=args, me=self.user.id, result=result)
        if result.get("row"):  # of a room
            self.known.put(result["row"])

    async def lost_writes(self, inbox: str, *, timeout_s: float) -> tuple[Write, ...]:
        """CHECK the remembered writes of an inbox; those that are gone are forgotten."""
        pairs = [[write.seq, write.tip] for write in self.writes.of(inbox)]
        if not pairs:
            return ()
        request = self.request(Op.CHECK, inbox, pairs)
        try:
            async with asyncio.timeout(timeout_s):
                return self.writes.missing(inbox, (await request.answer)["missing"])
        finally:
            self.requests.drop(request)

    def opened(self) -> None:
        """A connection said WELCOME: subscribe again, send again what is unanswered."""
        for request in self.requests.requeue():
            self.rows.forget(request.conv)
        self.session.opening()
        self._flush()
        self.people.opened()

    def stopped(self, error: Exception, *, quietly: bool = False) -> None:
        """There will be no connection any more."""
        if self._error is not None:
            return
        self._error = error
        self.requests.fail(error)
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()
        self._org.set()
        self.rooms.told.set()
        streams: list[EventStream | Latest[Any, Any]] = [
            *self.streams,
            *self.badge_streams,
            *self.people.streams,
            *self.rooms.streams,
        ]
        for stream in streams:
            stream.end() if quietly else stream.fail(error)
        for wait in [w for waits in self._waiting.values() for w in waits if not w.done()]:
            wait.set_exception(error)

    def frame(self, frame: Frame, current: bool) -> None:
        """One frame; a replaced connection may still bring answers, and nothing else."""
        if not current and frame[0] not in {Op.OK, Op.ERR}:
            return
        for happening in self.session.receive(frame):
            self._happened(happening)
        self._flush()

    def _flush(self) -> None:
        if self.connection.state != "connected":
            return
        outgoing, self.session.outgoing = self.session.outgoing, []
        for frame in (*outgoing, *self.requests.due()):
            self.connection.send(frame)

    def _happened(self, happening: on.Happening) -> None:
        match happening:
            case on.Applied():
                self._applied(happening)
            case on.Answered(id=number, result=result):
                self._settle(number, result)
            case on.Refused(id=number, frame=frame):
                self._settle(number, self._error_of(frame))
            case on.Reset():
                self._reset(happening)
            case on.Received(op=op, frame=frame):
                self._received(op, frame)
            case _:
                self._subscription(happening)

    def _subscription(self, happening: on.Happening) -> None:
        match happening:
            case on.Snapped(inbox=inbox, rows=rows, now=now):
                for row in rows:
                    self.known.put(row)
                for stream in self.streams:
                    stream.begin(inbox, now)
            case on.Subscribed(inbox=inbox):
                self._release(inbox, None)
                if inbox in self._refused:
                    self._refused.discard(inbox)
                    self._tell(Resync(inbox=inbox, reason="perm"))
            case on.SubscribeFailed(inboxes=inboxes, error=frame):
                self._not_subscribed(inboxes, self._error_of(frame))
            case on.Unsubscribed(inbox=inbox, code=code):
                slug, _, remedy = ERRORS.get(code, ("", False, ""))
                ended = api_error(code, slug, f"the subscription of {inbox} ended. {remedy}")
                self._not_subscribed((inbox,), ended)

    def _applied(self, applied: on.Applied) -> None:
        self.known.put(applied.meta.get("row"))
        if applied.meta.get("type") == "purged" and applied.meta.get("whole"):
            self.rows.forget(str(applied.meta["conv"]))
        if self.streams:
            self._tell(self.known.event(applied))

    def _reset(self, reset: on.Reset) -> None:
        self.known.reset(reset.inbox)
        lost = self.writes.by_cid(reset.inbox, reset.lost)
        self._tell(Resync(inbox=reset.inbox, reason=reset.reason, lost=lost))
        if reset.reason in {"fork", "epoch"}:
            spawn(self._tasks, self._check(reset.inbox), name="batonbox-check")

    async def _check(self, inbox: str) -> None:
        try:
            lost = await self.lost_writes(inbox, timeout_s=60.0)
        except (BatonboxError, TimeoutError) as error:
            _log.warning("cannot tell which writes of %s were lost: %s", inbox, error)
            return
        if lost:
            _log.error("the engine lost %d acknowledged command(s) of %s", len(lost), inbox)
            self._tell(Resync(inbox=inbox, reason="writes_lost", lost=lost))

    def _settle(self, number: int, outcome: Any) -> None:
        request = self.requests.take(number)
        if request is None or request.answer.done():
            return
        if isinstance(outcome, ApiError):
            outcome.cid = request.cid
            self.rows.put(outcome.cur)
            request.answer.set_exception(outcome)
        else:
            request.answer.set_result(outcome)

    def _release(self, inbox: str, error: Exception | None) -> None:
        for wait in self._waiting.pop(inbox, ()):
            if wait.done():
                continue
            if error is None:
                wait.set_result(None)
            else:
                wait.set_exception(error)

    def _not_subscribed(self, inboxes: tuple[str, ...], error: ApiError) -> None:
        if error.retryable:
            delay_s = error.retry_ms / 1000 if error.retry_ms else self.retry_s
            asyncio.get_running_loop().call_later(delay_s, self._subscribe_again, inboxes)
            return
        for inbox in inboxes:
            self.session.forget(inbox)
            self._release(inbox, error)
            for stream in self.streams:
                stream.refused(inbox, error)
        asyncio.get_running_loop().call_later(self.retry_s, self._follow_again, inboxes)

    def _follow_again(self, inboxes: tuple[str, ...]) -> None:
        """What is mine by the organisation's word: the inbox itself may hear of it later."""
        mine = [i for i in inboxes if i in self._inboxes]
        if self._error is None:
            self._refused.update(mine)
            self._follow_added(mine)
            self._flush()

    def _subscribe_again(self, inboxes: tuple[str, ...]) -> None:
        if self._error is None and self.connection.state == "connected":
            self.session.subscribe([i for i in inboxes if i in self.session.follows])
            self._flush()

    def _received(self, op: int, frame: Frame) -> None:
        match op, frame:
            case Op.BADGE, [_, inbox, blue, green, unassigned, seq, *_]:
                badge = self.badges[inbox] = Badge(inbox, blue, green, unassigned, seq)
                for stream in self.badge_streams:
                    stream.offer(inbox, badge)
            case Op.WELCOME, [_, _, user, _, limits, *more]:
                self._welcomed(user, limits, *more)
            case Op.ORG, [_, kind, data, *_]:
                self._organisation(str(kind), data)
            case Op.STATUS, [_, status, *_]:
                self.degraded = bool(status.get("degraded"))
            case Op.AUTH, [_, left_s, *_]:
                refreshing = self.connection.refresh(self.session.next_id(), within_s=left_s)
                spawn(self._tasks, refreshing, name="batonbox-refresh")
            case Op.CONV, [_, _, _, _, row, *_]:
                self.known.put(row)
            case Op.NOTIFY, [_, kind, inbox, conv, data, *_]:
                self._tell(self.known.notice(str(kind), inbox, conv, data or {}))
            case _:
                self._of_people(op, frame)

    def _of_people(self, op: int, frame: Frame) -> None:
        match op, frame:
            case Op.PRESENCE, [_, states, *_]:
                self.people.told(states or {})
            case Op.TYPING, [_, conv, who, *_]:
                self.people.watched(str(conv), who or {})
            case _:  # of rooms, or of a newer server
                self._follow_added(self.rooms.frame(op, frame))
                self._flush()

    def _said(self, frame: Frame) -> bool:
        return self.connection.send(frame)

    def _welcomed(
        self, user: Any, limits: Any, _build: Any = "", _exp: Any = 0, now_ms: Any = 0, *_: Any
    ) -> None:
        if now_ms:
            self.ahead_s = now_ms / 1000 - time.time()
        if not self.user.id:
            self.user = User(id=str(user))
        most = int((limits or {}).get("commands_in_flight", 16))
        # The server counts SUB, SEEN and REFRESH too: room for those is left free.
        self.requests.in_flight = max(1, most - most // 4)
        self._flush()
        if not self._ready.done():
            self._ready.set_result(None)

    def _organisation(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "state":
            self.user = msgspec.convert(data["user"], User)
            new = {d["id"]: self._inbox_of(d) for d in data["inboxes"]}
        elif kind == "user" and data["id"] == self.user.id:
            self.user = msgspec.convert(data, User)
            return
        elif kind == "inbox":
            new = self._inboxes | {data["id"]: self._inbox_of(data)}
        elif kind == "inbox_gone":
            new = {i: inbox for i, inbox in self._inboxes.items() if i != data["id"]}
        else:
            return
        added = [inbox for inbox in new if inbox not in self._inboxes]
        self._inboxes = new
        self._org.set()
        self._follow_added(added)

    def _inbox_of(self, data: dict[str, Any]) -> Inbox:
        """An admin sees every inbox and has joined some."""
        joined = self.user.id in data.get("members", (self.user.id,))
        return msgspec.convert({"joined": joined, **data}, Inbox)

    def _follow_added(self, added: list[str]) -> None:
        """Streams of every inbox, and of every room, also want those that appear later."""
        wanted = [i for i in added if i not in self.session.follows]
        wanted = [i for i in wanted if any(s.follows(i) for s in self.streams)]
        for inbox in wanted:
            self.session.follow(inbox)
        self.session.subscribe(wanted)

    def _tell(self, event: Event) -> None:
        for stream in self.streams:
            stream.offer(event)

    def _error_of(self, frame: Frame) -> ApiError:
        number, slug, message, retry_ms, cur = (*frame[2:7], None, None, None, None, None)[:5]
        return api_error(
            int(number), str(slug), str(message or ""), retry_ms=retry_ms, cur=row_of(cur)
        )

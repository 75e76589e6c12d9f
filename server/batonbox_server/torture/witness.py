"""A client that trusts nothing but the protocol, and writes down what it asks and sees.

It speaks frames, shares no code with the SDK, resumes by position, and sends unanswered commands
again with their ids, to whichever node it reaches.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from batonbox_server.tasks import cancel_all, spawn
from batonbox_server.wire import Op

from .follow import Follow
from .ledger import Ledger
from .line import Door, Line
from .record import Call, Checked, OutcomeKind

__all__ = ["Answer", "Witness"]

_GIVE_UP_S: Final = 25.0
_AGAIN_S: Final = 0.5  # to what it should follow and does not
_CHECKED_MOST: Final = 256  # positions in one CHECK
# Answers after which a command may be sent again with its id.
_RETRYABLE: Final = frozenset({"unavailable", "internal", "rate_limited", "durability_timeout"})


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended, for who decides what to do next."""

    kind: OutcomeKind
    reply: dict[str, Any] = field(default_factory=dict)
    slug: str = ""
    cur: dict[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether it took effect."""
        return self.kind == "ok"


@dataclass(slots=True)
class _Pending:
    """`sends`: how often it was sent without being told that it had no effect."""

    call: Call
    args: dict[str, Any]
    answer: asyncio.Future[Answer]
    slug: str = ""
    sends: int = 0


class Witness:
    """`user`'s client `name`; it follows `inboxes` through whichever of the `doors` is open."""

    def __init__(
        self,
        name: str,
        user: str,
        token: str,
        inboxes: Sequence[str],
        *,
        doors: Sequence[Door],
        ledger: Ledger,
        rng: random.Random,
        dur: str = "memory",
    ) -> None:
        self.name = name
        self.user = user
        self.follows = {inbox: Follow(name, user, inbox, ledger) for inbox in inboxes}
        self.line = Line(token, doors, rng, self)
        self._ledger = ledger
        self._rng = rng
        self._dur = {"dur": dur} if dur != "memory" else {}
        self._pending: dict[int, _Pending] = {}  # by call
        self._requests: dict[int, _Pending] = {}  # by number on this connection
        self._written: dict[str, list[tuple[int, str]]] = {inbox: [] for inbox in inboxes}
        self._unchecked: set[str] = set()
        self._checks: dict[int, tuple[str, list[tuple[int, str]]]] = {}
        self._last_id = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Be there, until cancelled."""
        spawn(self._tasks, self._keep_following(), name="torture-follow")
        try:
            await self.line.run()
        finally:
            await cancel_all(self._tasks)

    # For workloads

    def stands(self, inbox: str) -> tuple[int, str] | None:
        """Its position, None while it has none."""
        follow = self.follows[inbox]
        return (follow.seq, follow.tip) if follow.live and follow.served else None

    def row(self, conv: str) -> dict[str, Any] | None:
        """A conversation as it knows it."""
        follow = self.follows.get(conv.partition(".")[0])
        return follow.rows.get(conv) if follow is not None else None

    async def command(
        self, name: str, *, inbox: str, conv: str = "", cid: str = "", **args: Any
    ) -> Answer:
        """Send a command until it is answered, or given up as unknown."""
        given = {key: value for key, value in args.items() if value is not None} | self._dur
        if conv:
            given["conv"] = conv
        cid = cid or f"{self.name}:{self._rng.getrandbits(64):016x}"
        call = self._called(name, inbox, conv, cid, given)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        pending = self._pending[call.id] = _Pending(call, {**given, "cid": cid}, answer)
        self._ask(pending)
        try:
            async with asyncio.timeout(_GIVE_UP_S):
                return await answer
        except TimeoutError:
            self._ledger.outcome(call, "unknown", slug=pending.slug or "timeout")
            return Answer("unknown", slug=pending.slug)
        finally:
            self._pending.pop(call.id, None)

    def saw(self, conv: str, att: str) -> None:
        """Tell that this conversation has been seen; there is no answer."""
        inbox = conv.partition(".")[0]
        if att and self.line.up:
            self._called("seen", inbox, conv, "", {"att": att})
            self.line.send(Op.SEEN, inbox, conv, att)

    def check(self) -> None:
        """Ask whether all that was acknowledged is still there."""
        self._unchecked |= {inbox for inbox, written in self._written.items() if written}

    @property
    def checking(self) -> bool:
        """Whether answers to CHECK are awaited."""
        return bool(self._checks) or any(self.stands(inbox) for inbox in self._unchecked)

    def _called(self, verb: str, inbox: str, conv: str, cid: str, args: dict[str, Any]) -> Call:
        return self._ledger.call(
            client=self.name,
            user=self.user,
            node=self.line.node,
            verb=verb,
            inbox=inbox,
            conv=conv,
            cid=cid,
            args=args,
        )

    # The line

    def opened(self) -> None:
        """See Listener: subscribe again, send again what is unanswered."""
        self._subscribe()
        for pending in list(self._pending.values()):
            self._ask(pending)

    def closed(self, code: int) -> None:
        """See Listener."""
        self._requests.clear()
        self._unchecked |= {inbox for inbox, _ in self._checks.values()}
        self._checks.clear()
        for follow in self.follows.values():
            follow.closed(code)

    def heard(self, frame: list[Any]) -> None:
        """See Listener."""
        match frame:
            case [Op.OK, int(number), result, *_]:
                self._ok(number, result or {})
            case [Op.ERR, int(number), int(code), str(slug), *more]:
                self._err(number, code, slug, more)
            case [Op.PING, *_]:
                lives = [[f.inbox, f.seq] for f in self.follows.values() if f.live]
                self.line.send(Op.PONG, lives)
            case [_, str(inbox), *_] if inbox in self.follows:
                self._of_inbox(self.follows[inbox], frame)

    def _of_inbox(self, follow: Follow, frame: list[Any]) -> None:
        match frame:
            case [Op.EV, _, int(seq), meta, body, str(tip), *_]:
                follow.event(seq, meta, body, tip)
            case [Op.SNAP, _, str(epoch), int(seq), str(tip), _, _, rows, *_]:
                follow.snapshot(epoch, seq, tip, rows)
            case [Op.BADGE, _, int(blue), int(green), int(unassigned), int(seq), *_]:
                follow.badged((blue, green, unassigned), seq)
            case [Op.RESET, _, str(reason), *more]:
                follow.reset(reason, list(more[0] or ()) if more else [])
                if reason in {"fork", "epoch"} and self._written.get(follow.inbox):
                    self._unchecked.add(follow.inbox)
            case [Op.UNSUBD, _, int(code), *_]:
                follow.unsubscribed(code)

    # Subscriptions and checks

    async def _keep_following(self) -> None:
        while True:
            await asyncio.sleep(_AGAIN_S)
            if self.line.up:
                self._subscribe()
                asked = {inbox for inbox, _ in self._checks.values()}
                for inbox in [i for i in self._unchecked - asked if self.stands(i)]:
                    self._unchecked.discard(inbox)
                    self._check(inbox)

    def _subscribe(self) -> None:
        for follow in self.follows.values():
            if follow.asked is None and not follow.served:
                follow.asked = self._next_id()
                self.line.send(Op.SUB, follow.asked, [follow.subscription()])

    def _check(self, inbox: str) -> None:
        written = self._written[inbox]
        for first in range(0, len(written), _CHECKED_MOST):
            some = written[first : first + _CHECKED_MOST]
            number = self._next_id()
            self._checks[number] = (inbox, some)
            self.line.send(Op.CHECK, number, inbox, [list(position) for position in some])

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    # Commands

    def _ask(self, pending: _Pending) -> None:
        if self.line.up and not pending.answer.done():
            number = self._next_id()
            self._requests[number] = pending
            pending.sends += 1
            self.line.send(Op.CMD, number, pending.call.verb, pending.args)

    def _ask_again(self, pending: _Pending, line: int) -> None:
        if line == self.line.number:  # else the new connection has been asked already
            self._ask(pending)

    def _ok(self, number: int, result: dict[str, Any]) -> None:
        if (pending := self._requests.pop(number, None)) is not None:
            self._took_effect(pending, result)
        elif (check := self._checks.pop(number, None)) is not None:
            missing = [(int(seq), str(tip)) for seq, tip in result["missing"]]
            inbox, asked = check
            at_ns = time.monotonic_ns()
            self._ledger.add(
                Checked(client=self.name, inbox=inbox, at_ns=at_ns, asked=asked, missing=missing)
            )
        else:
            for follow in self.follows.values():
                if follow.asked == number:
                    follow.asked, follow.served = None, True

    def _took_effect(self, pending: _Pending, result: dict[str, Any]) -> None:
        if pending.answer.done():
            return
        seq, tip = result.get("seq"), result.get("tip")
        self._ledger.outcome(pending.call, "ok", seq=seq, tip=tip, reply=result)
        if seq and tip and not result.get("noop"):
            self._written[pending.call.inbox].append((seq, tip))
        pending.answer.set_result(Answer("ok", result))

    def _err(self, number: int, code: int, slug: str, more: list[Any]) -> None:
        _, retry_ms, cur = [*more, None, None, None][:3]
        if (pending := self._requests.pop(number, None)) is not None:
            self._refused(pending, slug, retry_ms, cur)
        elif (check := self._checks.pop(number, None)) is not None:
            self._unchecked.add(check[0])
        else:
            for follow in self.follows.values():
                if follow.asked == number:
                    follow.asked = None
                    if slug not in _RETRYABLE and follow.live:
                        follow.unsubscribed(code)

    def _refused(
        self, pending: _Pending, slug: str, retry_ms: int | None, cur: dict[str, Any] | None
    ) -> None:
        if pending.answer.done():
            return
        if slug in _RETRYABLE:
            pending.slug = slug
            pending.sends -= slug == "rate_limited"  # it had no effect
            pause_s = (retry_ms or 100) / 1000 * self._rng.uniform(1.0, 2.0)
            loop = asyncio.get_running_loop()
            loop.call_later(pause_s, self._ask_again, pending, self.line.number)
            return
        # Of what was sent twice the first may take effect behind the refusal of the second.
        kind: OutcomeKind = "refused" if pending.sends == 1 else "unknown"
        self._ledger.outcome(pending.call, kind, slug=slug, cur=cur)
        pending.answer.set_result(Answer(kind, slug=slug, cur=cur))

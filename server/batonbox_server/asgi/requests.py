"""What a signed-in connection asks for, run beside its reader and answered in any order."""

from __future__ import annotations

from collections.abc import Awaitable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import structlog

from batonbox_server import wire
from batonbox_server.domain.model import is_room
from batonbox_server.domain.policy import FRAMES, Action
from batonbox_server.errors import Refused
from batonbox_server.hub.follower import Position
from batonbox_server.measured import COMMAND_S
from batonbox_server.origin import Acting, acting
from batonbox_server.service.scopes import check_scope
from batonbox_server.session.ports import Principal
from batonbox_server.session.steps import Run, Step, refusal
from batonbox_server.tasks import spawn
from batonbox_server.turn import Turn, turn

from . import eager
from .admission import BUSY

if TYPE_CHECKING:
    from .connection import Connection
    from .socket import SocketPump

__all__ = ["Requests"]

_log = structlog.get_logger(__name__)
# A SUB is answered by inbox, and a CMD is asked about with its arguments.
_ACTIONS: Final[dict[type, Action | None]] = {
    kind: FRAMES[wire.Op(op).name]
    for op, kind in wire.CLIENT_FRAMES.items()
    if kind not in {wire.Sub, wire.Cmd}
}
_SUBSCRIPTIONS: Final = ""  # the chain of SUBs; conversations' ids are never empty


class Requests:
    """Requests about one conversation take effect in the order they came, others side by side.

    The next one begins once the one before has been handed to the engine (`turn.pass_turn`), so
    that a burst costs one round trip.  Their number is bounded by the session.  They outlive the
    connection: a command that was sent takes effect, whether or not its sender is still there.
    """

    def __init__(self, connection: Connection, pump: SocketPump) -> None:
        self._connection = connection
        self._pump = pump
        self._last: dict[str, Turn] = {}
        # Inboxes of SUBs under way, each with the last one that asks for it.
        self._wanted: dict[str, wire.Sub] | None = None

    def begin(self, step: Step) -> None:
        """Start a request of a signed-in connection."""
        chain = _chain(step)
        mine = Turn(self._last.get(chain) if chain is not None else None)
        if chain is not None:
            self._last[chain] = mine
        if type(step) is wire.Sub:
            self._wanted = {**(self._wanted or {}), **{item.inbox: step for item in step.subs}}
        work = self._run(step, mine, chain)
        if type(step) is Run:
            # To the engine in this turn of the loop.
            eager.run(work, self._pump.tasks, name="request")
        else:
            spawn(self._pump.tasks, work, name="request")

    def leave(self, step: wire.Unsub) -> None:
        """UNSUB takes effect at once, and on SUBs that came before and are under way."""
        for inbox in step.inboxes:
            if self._wanted:
                self._wanted.pop(inbox, None)
            self._pump.hub.unsubscribe(self._connection.viewer, inbox)

    async def _run(self, step: Step, mine: Turn, chain: str | None) -> None:
        connection = self._connection
        try:
            if mine.waits:
                await mine.come()
                if connection.ended_by_access:
                    return  # what waited for its turn meanwhile is nobody's any more
            principal = connection.principal
            if principal is None:
                raise AssertionError("a request before signing in")
            self._pump.used(principal.token)
            request = f"{connection.id}/{getattr(step, 'id', '')}"
            acting.set(Acting(principal.user, connection.origin, request))  # this task's own
            turn.set(mine)
            if type(step) is Run:
                began_s = perf_counter()
                await self._answered(principal, step)
                COMMAND_S.add(step.name, perf_counter() - began_s)
            elif isinstance(step, wire.Seen):
                await self._seen(principal, step)
            elif isinstance(step, wire.Viewing):
                await self._viewing(principal, step)
            else:
                await self._answered(principal, step)
        finally:
            if not mine.passed:
                mine.over()
            if chain is not None and self._last.get(chain) is mine:
                del self._last[chain]
            if self._wanted is not None and type(step) is wire.Sub:
                wanted = {inbox: by for inbox, by in self._wanted.items() if by is not step}
                self._wanted = wanted or None
            connection.session.finished()

    async def _answered(self, principal: Principal, step: Any) -> None:
        """OK with the result, or ERR; never a trace."""
        connection = self._connection
        try:
            frame: wire.Frame = [wire.Op.OK, step.id, await self._asked(principal, step)]
        except Refused as refused:
            frame = refusal(step.id, refused)
        except Exception:
            _log.exception("request_failed", conn=connection.id)
            frame = refusal(step.id, Refused("internal"))
        connection.answer(frame)

    def _asked(self, principal: Principal, step: Step) -> Awaitable[dict[str, Any]]:
        action = _ACTIONS.get(type(step))
        if action is not None:
            check_scope(principal, action)
        retry_ms = self._pump.shedder.refuses_request(vital=_vital(step))
        if retry_ms:
            raise Refused("rate_limited", BUSY, retry_ms=retry_ms)
        if type(step) is Run:
            return self._pump.commands.run(principal, step.name, step.args)
        reads = self._pump.reads
        match step:
            case wire.Sub():
                return self._subscribe(principal, step)
            case wire.Page():
                after = step.after or ""
                return reads.page(
                    principal, inbox=step.inbox, view=step.view, after=after, n=step.n
                )
            case wire.History():
                return reads.history(principal, conv=step.conv, before=step.before, n=step.n)
            case wire.Check():
                return reads.check(principal, inbox=step.inbox, positions=step.positions)
            case wire.Refresh():
                return self._refresh(principal, step)
            case wire.Group() if self._pump.groups is not None:
                return self._pump.groups.share(principal, step)
            case _:
                raise AssertionError(f"not a request: {step!r}")

    async def _seen(self, principal: Principal, step: wire.Seen) -> None:
        try:
            check_scope(principal, Action.MARK)
            await self._pump.reads.seen(principal, conv=step.conv, att=step.att)
        except Refused:
            pass  # not answered: the badge, which is absolute, tells what became of it
        except Exception:
            _log.exception("seen_failed", conn=self._connection.id)

    async def _viewing(self, principal: Principal, step: wire.Viewing) -> None:
        try:
            check_scope(principal, Action.SEE)
            await self._pump.hub.look(self._connection.viewer, step.conv, typing=step.typing)
        except Refused:
            pass  # not answered: who may not see the conversation hears nothing of it
        except Exception:
            _log.exception("viewing_failed", conn=self._connection.id)

    async def _refresh(self, principal: Principal, step: wire.Refresh) -> dict[str, Any]:
        fresh = await self._connection.authenticate(step.tok)
        if fresh.user != principal.user:
            raise Refused("forbidden", "This token is another user's; open a connection for it.")
        if fresh.scopes != principal.scopes:
            raise Refused("forbidden", "This token has other scopes; open a connection for it.")
        self._connection.accept(fresh, step.tok)
        return {"exp": fresh.exp_ms}

    async def _subscribe(self, principal: Principal, step: wire.Sub) -> dict[str, Any]:
        most = self._connection.session.limits.subscriptions_max
        if self._pump.hub.listening(self._connection.viewer) + len(step.subs) > most:
            raise Refused("bad_request", f"subs: at most {most} subscriptions per connection.")
        results = []
        for item in step.subs:
            await self._connection.until_read()  # a snapshot each, no faster than they are read
            results.append([item.inbox, *await self._one(principal, item)])
        return {"subs": results}

    async def _one(self, principal: Principal, item: wire.SubItem) -> tuple[str, int]:
        """How it went: `resumed`, `snapshot` or `badge` with 0, or `refused` with the error."""
        hub, viewer = self._pump.hub, self._connection.viewer
        try:
            check_scope(principal, Action.SEE)
            level, conv = _level(item.level)
            _must_fit(item.inbox, level, conv)
            if level == "badge":
                await hub.attach(viewer, item.inbox)
                return "badge", 0
            how = await hub.subscribe(viewer, item.inbox, _position(item))
            if self._wanted is None or item.inbox not in self._wanted:
                hub.unsubscribe(viewer, item.inbox)  # which was said meanwhile
            elif conv:
                await self._open_conversation(principal, item.inbox, conv)
        except Refused as refused:
            viewer.send([wire.Op.UNSUBD, item.inbox, refused.code.number])
            return "refused", refused.code.number
        return how, 0

    async def _open_conversation(self, principal: Principal, inbox: str, conv: str) -> None:
        thread = await self._pump.reads.history(principal, conv=conv, before=0, n=50)
        self._connection.viewer.send(
            [
                wire.Op.CONV,
                inbox,
                conv,
                thread["seq"],
                thread["row"],
                thread["messages"],
                thread["next"],
            ]
        )


def _chain(step: Step) -> str | None:
    if type(step) is Run:
        return getattr(step.args, "conv", None)
    if isinstance(step, wire.Seen):
        return step.conv
    return _SUBSCRIPTIONS if isinstance(step, wire.Sub) else None


def _vital(step: Step) -> bool:
    """What an overloaded server does all the same: a reply, coming back to where one was, and
    staying there: a group whose copies are taken for dead would only do more.
    """
    if type(step) is Run:
        return step.name == "reply"
    return isinstance(step, wire.Sub | wire.Refresh | wire.Group)


def _level(text: str) -> tuple[str, str]:
    level, _, conv = text.partition(":")
    if level not in wire.LEVELS or (level == "conv") != bool(conv):
        raise Refused("bad_request", "level: badge, list or conv:<id>.")
    return level, conv


def _must_fit(inbox: str, level: str, conv: str) -> None:
    """A conversation is its inbox's; a room is its own, and has no badge but ROOM."""
    if is_room(inbox) and level == "badge":
        raise Refused("bad_request", "level: a room is told of unasked; list or conv:<room>.")
    fits = conv == inbox if is_room(inbox) else conv.startswith(f"{inbox}.")
    if conv and not fits:
        raise Refused("not_found")


def _position(item: wire.SubItem) -> Position | None:
    if item.epoch is None or item.seq is None or item.tip is None:
        return None
    return Position(item.epoch, item.seq, item.tip)

"""The commands: those of conversations are run here, and followed up; rooms' where rooms are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, Final, NamedTuple

from batonbox_server.domain.model import Availability, Role, inbox_of
from batonbox_server.domain.policy import COMMANDS, Action, may_ever, missing_scope
from batonbox_server.domain.segments import segments
from batonbox_server.errors import BatonboxError, Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.durable_port import Durability, Level
from batonbox_server.store.port import Applied, InboxStore
from batonbox_server.tasks import cancel_all, spawn
from batonbox_server.wire import (
    ROOM_COMMANDS,
    Assign,
    Command,
    Compose,
    Done,
    Note,
    Reply,
    Retry,
    Return,
    SetAway,
    Snooze,
    Transfer,
    Undo,
    Unread,
    Wake,
)

from .administration import Administration
from .directory import LiveDirectory
from .media import Media
from .room_commands import RoomCommands, is_of_room
from .scopes import check_scope
from .texts import check_text, e164, message_body, note_body, preview

__all__ = ["InboxCommands", "mode_of"]

_SENDING: Final = frozenset({"reply", "compose", "retry"})


class _Call(NamedTuple):
    """Who asks, under which command id."""

    actor: str
    cid: str


class InboxCommands:
    """Implements `session.ports.Commands`; websocket and HTTP share it.

    `on_outbound(inbox)` is told of every message queued here, so that it leaves at once.
    `durability` says when a success may be told, where the command asks for more than the engine's
    memory; the command has taken effect by then, and holds up none behind it.
    """

    def __init__(
        self,
        store: InboxStore,
        directory: LiveDirectory,
        administration: Administration,
        media: Media,
        rooms: RoomCommands,
        *,
        durability: Durability,
        text_max_chars: int,
        on_outbound: Callable[[str], None],
    ) -> None:
        self._store = store
        self._durability = durability
        self._rooms = rooms
        self._directory = directory
        self._administration = administration
        self._media = media
        self._text_max_chars = text_max_chars
        self._on_outbound = on_outbound
        self._tasks: set[asyncio.Task[Any]] = set()
        self._verbs: dict[str, Callable[[_Call, Any], Awaitable[Applied]]] = {
            "assign": self._assign,
            "transfer": self._transfer,
            "return": self._release,
            "done": self._done,
            "undo": self._undo,
            "snooze": self._snooze,
            "wake": self._wake,
            "reply": self._reply,
            "note": self._note,
            "compose": self._compose,
            "retry": self._retry,
            "unread": self._unread,
        }

    async def aclose(self) -> None:
        """End what still follows up."""
        await cancel_all(self._tasks)

    def run(self, principal: Principal, name: str, args: Command) -> Awaitable[dict[str, Any]]:
        """See the port."""
        self._permit(principal, name, args)
        level = self._durability.level(args.dur)
        work = self._run(principal, name, args)
        return work if level == "memory" else self._confirmed(work, name, level)

    async def _confirmed(
        self, work: Awaitable[dict[str, Any]], name: str, level: Level
    ) -> dict[str, Any]:
        since = self._durability.since()
        result = await work
        # What a room or a person is to everybody stands with the organisation.
        log, elsewhere = result.get("inbox", ""), name == "set_away" or name in ROOM_COMMANDS
        await self._durability.confirm(
            level, since, logs=[log] if log else [], organisation=elsewhere
        )
        return result

    async def _run(self, principal: Principal, name: str, args: Command) -> dict[str, Any]:
        if type(args) is SetAway:
            return await self._set_away(principal.user, args)
        if is_of_room(name, args):
            return await self._rooms.run(principal, name, args)
        try:
            applied = await self._verbs[name](_Call(principal.user, args.cid), args)
        except Refused as refused:
            if missing_scope(Action.SEE, principal.scopes) is not None:
                refused.cur = None  # it has the newest message
            raise
        inbox = inbox_of(applied.conv)
        if name in _SENDING:
            self._on_outbound(inbox)
        if applied.joins and principal.role == Role.ADMIN:
            self._remember_joined(inbox, principal.user)
        result = _result(applied, inbox)
        if isinstance(args, Reply | Compose):
            result["segments"] = segments(args.text).count
        return result

    def _permit(self, principal: Principal, name: str, args: Command) -> None:
        action = COMMANDS[name]
        if isinstance(args, Assign) and args.to not in {None, principal.user}:
            action = Action.DISPATCH
        if not _may_ever(action, principal.role):
            raise Refused("forbidden", f"To {action.value} takes an admin.")
        if (
            isinstance(args, Transfer)
            and args.to == principal.user
            and principal.role == Role.ADMIN
        ):
            # Others are refused by the script, whatever they sign in with.
            action = Action.TAKE_OVER
        check_scope(principal, action)

    def _remember_joined(self, inbox: str, user: str) -> None:
        if inbox not in self._directory.joined_by(user):
            spawn(self._tasks, self._join(inbox, user), name="admin-joins")

    async def _join(self, inbox: str, user: str) -> None:
        # The script joined them already; only the directory has to learn it.
        try:
            await self._administration.set_member(inbox=inbox, user=user, on=True)
        except BatonboxError:
            return

    async def _set_away(self, user: str, args: SetAway) -> dict[str, Any]:
        # Without a stored reply: it sets a value, so that a retry changes nothing.
        mode = mode_of(away=args.away, release=args.release)
        await self._administration.set_away(user, mode)
        released = mode is Availability.RELEASE
        return {"user": user, "away": args.away, "release": released}

    def _assign(self, call: _Call, args: Assign) -> Awaitable[Applied]:
        return self._store.assign(conv=args.conv, actor=call.actor, cid=call.cid, to=args.to or "")

    def _transfer(self, call: _Call, args: Transfer) -> Awaitable[Applied]:
        note = args.note or ""
        if note:
            check_text(note, max_chars=self._text_max_chars)
        return self._store.transfer(
            conv=args.conv,
            actor=call.actor,
            cid=call.cid,
            own_tok=args.own_tok or "",
            to=args.to,
            note=note,
        )

    def _release(self, call: _Call, args: Return) -> Awaitable[Applied]:
        return self._store.release(
            conv=args.conv, actor=call.actor, cid=call.cid, own_tok=args.own_tok or ""
        )

    def _done(self, call: _Call, args: Done) -> Awaitable[Applied]:
        return self._store.done(
            conv=args.conv,
            actor=call.actor,
            cid=call.cid,
            own_tok=args.own_tok or "",
            seen=args.seen,
        )

    def _undo(self, call: _Call, args: Undo) -> Awaitable[Applied]:
        return self._store.undo(
            conv=args.conv, actor=call.actor, cid=call.cid, own_tok=args.own_tok or ""
        )

    def _snooze(self, call: _Call, args: Snooze) -> Awaitable[Applied]:
        return self._store.snooze(
            conv=args.conv,
            actor=call.actor,
            cid=call.cid,
            own_tok=args.own_tok or "",
            until_ms=args.until_ms,
        )

    def _wake(self, call: _Call, args: Wake) -> Awaitable[Applied]:
        return self._store.wake(
            conv=args.conv, actor=call.actor, cid=call.cid, own_tok=args.own_tok or ""
        )

    async def _reply(self, call: _Call, args: Reply) -> Applied:
        text = check_text(args.text, max_chars=self._text_max_chars, media=args.media)
        inbox = inbox_of(args.conv)
        async with self._media.take(call.actor, cid=call.cid, inbox=inbox, ids=args.media) as media:
            return await self._store.reply(
                conv=args.conv,
                actor=call.actor,
                cid=call.cid,
                own_tok=args.own_tok or "",
                body=message_body(text, media),
                preview=preview(text, media),
                seen=args.seen or "",
            )

    async def _note(self, call: _Call, args: Note) -> Applied:
        text = check_text(args.text, max_chars=self._text_max_chars)
        return await self._store.note(
            conv=args.conv,
            actor=call.actor,
            cid=call.cid,
            body=note_body(text, args.mentions),
            mentions=args.mentions,
        )

    async def _compose(self, call: _Call, args: Compose) -> Applied:
        text = check_text(args.text, max_chars=self._text_max_chars, media=args.media)
        our, customer, inbox = self._sender(args), e164(args.to, field="to"), args.inbox
        async with self._media.take(call.actor, cid=call.cid, inbox=inbox, ids=args.media) as media:
            return await self._store.compose(
                inbox=inbox,
                actor=call.actor,
                cid=call.cid,
                our=our,
                customer=customer,
                body=message_body(text, media),
                preview=preview(text, media),
            )

    def _retry(self, call: _Call, args: Retry) -> Awaitable[Applied]:
        return self._store.retry(conv=args.conv, actor=call.actor, cid=call.cid, n=args.n)

    def _unread(self, call: _Call, args: Unread) -> Awaitable[Applied]:
        return self._store.unread(conv=args.conv, actor=call.actor, cid=call.cid)

    def _sender(self, args: Compose) -> str:
        if args.from_:
            return e164(args.from_, field="from")
        inbox = self._directory.inboxes.get(args.inbox)
        if inbox is None:
            raise Refused("not_found")
        if not inbox.numbers:
            raise Refused("number_not_routed")
        if len(inbox.numbers) > 1:
            raise Refused("bad_request", "from: this inbox has several numbers; choose one.")
        return inbox.numbers[0]


@cache
def _may_ever(action: Action, role: str) -> bool:
    return may_ever(action, Role(role))


def mode_of(*, away: bool, release: bool) -> Availability:
    """The two words of `set_away` as one value."""
    if not away:
        return Availability.AVAILABLE
    return Availability.RELEASE if release else Availability.AWAY


def _result(applied: Applied, inbox: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "conv": applied.conv,
        "inbox": inbox,
        "seq": applied.seq,
        "tip": applied.tip,
        "own_tok": applied.own_tok,
        "att": applied.att,
    }
    if applied.n:
        result["n"] = applied.n
    if applied.noop:
        result["noop"] = True
    if applied.warnings:
        result["warnings"] = list(applied.warnings)
    return result

"""The commands of rooms: checked, put into the store's shapes, and run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from batonbox_server.domain.model import RoomKind, is_room
from batonbox_server.errors import Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.port import Applied, InboxStore
from batonbox_server.store.rooms_port import RoomStore
from batonbox_server.wire import (
    ROOM_COMMANDS,
    Archive,
    Command,
    Create,
    Delete,
    Edit,
    Invite,
    Join,
    Leave,
    OpenDm,
    Post,
    Remove,
    Rename,
    Unread,
)

from .directory import LiveDirectory
from .media import Media
from .rooms import Rooms, acts_as_admin, private_to_its_two
from .texts import check_name, check_text, post_body, preview

__all__ = ["RoomCommands", "is_of_room"]

# After these the caller needs the room's row: it is new to them, or looks different.
_WITH_ROW: Final = frozenset({"open_dm", "create", "join", "rename", "archive"})


@dataclass(frozen=True, slots=True)
class _Call:
    """Who asks, under which command id; `admin`: with an admin's rights."""

    actor: str
    cid: str
    admin: bool


def is_of_room(name: str, args: Command) -> bool:
    """Whether this is a room's command; raises Refused where a verb and its object do not match."""
    conv = getattr(args, "conv", None)
    about_room = is_room(conv or getattr(args, "inbox", "") or "")
    if name in ROOM_COMMANDS:
        if conv is not None and not about_room:
            raise Refused("not_found", "There is no such room.")
        return True
    if about_room and name != "unread":
        raise Refused("bad_request", f"{name}: this is a room; post in it, join it or leave it.")
    return about_room


class RoomCommands:
    """Scopes and roles have been looked at; who is in the room is for the store to say."""

    def __init__(
        self,
        store: RoomStore,
        lines: InboxStore,
        directory: LiveDirectory,
        media: Media,
        *,
        text_max_chars: int,
    ) -> None:
        self._store = store
        self._rooms = Rooms(store)
        self._lines = lines
        self._directory = directory
        self._media = media
        self._text_max_chars = text_max_chars
        self._verbs: dict[str, Callable[[_Call, Any], Awaitable[Applied]]] = {
            "open_dm": self._open_dm,
            "create": self._create,
            "join": self._join,
            "leave": self._leave,
            "invite": self._invite,
            "remove": self._remove,
            "rename": self._rename,
            "archive": self._archive,
            "post": self._post,
            "edit": self._edit,
            "delete": self._delete,
            "unread": self._unread,
        }

    async def run(self, principal: Principal, name: str, args: Command) -> dict[str, Any]:
        """{conv, inbox, seq, tip, n?, noop?, row?}."""
        call = _Call(principal.user, args.cid, acts_as_admin(principal))
        room = str(getattr(args, "conv", ""))
        async with private_to_its_two(self._store, room, principal.user):
            applied = await self._verbs[name](call, args)
        result: dict[str, Any] = {
            "conv": applied.conv,
            "inbox": applied.conv,
            "seq": applied.seq,
            "tip": applied.tip,
        }
        if applied.n:
            result["n"] = applied.n
        if applied.noop:
            result["noop"] = True
        if name in _WITH_ROW and (row := await self._rooms.row(principal, room=applied.conv)):
            result["row"] = row
        return result

    async def _open_dm(self, call: _Call, args: OpenDm) -> Applied:
        self._check_active(args.user)
        return await self._store.open_direct(actor=call.actor, user=args.user, cid=call.cid)

    async def _create(self, call: _Call, args: Create) -> Applied:
        name = check_name(args.name, field="name")
        for user in args.members:
            self._check_active(user)
        return await self._store.create_channel(
            actor=call.actor,
            cid=call.cid,
            name=name,
            kind=RoomKind.PRIVATE if args.private else RoomKind.PUBLIC,
            members=tuple(dict.fromkeys((call.actor, *args.members))),
        )

    async def _join(self, call: _Call, args: Join) -> Applied:
        return await self._store.add_member(
            room=args.conv, user=call.actor, actor=call.actor, cid=call.cid, admin=call.admin
        )

    async def _leave(self, call: _Call, args: Leave) -> Applied:
        return await self._store.drop_member(
            room=args.conv, user=call.actor, actor=call.actor, cid=call.cid, admin=call.admin
        )

    async def _invite(self, call: _Call, args: Invite) -> Applied:
        self._check_active(args.user)
        return await self._store.add_member(
            room=args.conv, user=args.user, actor=call.actor, cid=call.cid, admin=call.admin
        )

    async def _remove(self, call: _Call, args: Remove) -> Applied:
        return await self._store.drop_member(
            room=args.conv, user=args.user, actor=call.actor, cid=call.cid, admin=call.admin
        )

    async def _rename(self, call: _Call, args: Rename) -> Applied:
        name = check_name(args.name, field="name")
        return await self._store.rename(room=args.conv, actor=call.actor, cid=call.cid, name=name)

    async def _archive(self, call: _Call, args: Archive) -> Applied:
        return await self._store.set_archived(
            room=args.conv, actor=call.actor, cid=call.cid, on=args.on
        )

    async def _post(self, call: _Call, args: Post) -> Applied:
        text = check_text(args.text, max_chars=self._text_max_chars, media=args.media)
        mentions, room = _once(args.mentions), args.conv
        async with self._media.take(call.actor, cid=call.cid, inbox=room, ids=args.media) as media:
            return await self._store.post(
                room=room,
                actor=call.actor,
                cid=call.cid,
                body=post_body(text, mentions, media),
                preview=preview(text, media),
                mentions=mentions,
            )

    async def _edit(self, call: _Call, args: Edit) -> Applied:
        mentions, media = _once(args.mentions), await self._files_of(call, args)
        text = check_text(args.text, max_chars=self._text_max_chars, media=[""] * len(media))
        return await self._store.edit(
            room=args.conv,
            actor=call.actor,
            cid=call.cid,
            n=args.n,
            body=post_body(text, mentions, media),
            preview=preview(text, media),
            mentions=mentions,
        )

    async def _files_of(self, call: _Call, args: Edit) -> list[dict[str, Any]]:
        """A post's files stay when its text changes; a retry finds those that the first try had."""
        before = args.n + 1
        thread = await self._lines.history(conv=args.conv, actor=call.actor, before=before, n=1)
        line = next((line for line in thread.messages if line[0] == args.n), None)
        body = line[7] if line else None
        if line and line[6] == "deleted":
            versions = await self._store.versions(room=args.conv, n=args.n)
            body = versions[-1].body if versions else None
        return list(body.get("media") or ()) if isinstance(body, dict) else []

    async def _delete(self, call: _Call, args: Delete) -> Applied:
        return await self._store.delete(
            room=args.conv, actor=call.actor, cid=call.cid, n=args.n, admin=call.admin
        )

    async def _unread(self, call: _Call, args: Unread) -> Applied:
        return await self._store.room_unread(room=args.conv, actor=call.actor, cid=call.cid)

    def _check_active(self, user: str) -> None:
        found = self._directory.users.get(user)
        if found is None:
            raise Refused("not_found", f"There is no team member {user!r}.")
        if not found.active:
            raise Refused("target_not_member", f"{found.name} is deactivated.")


def _once(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))

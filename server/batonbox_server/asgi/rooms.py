"""Direct messages and channels over HTTP: the websocket's commands with the same permissions."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from batonbox_server.domain.model import is_room
from batonbox_server.domain.policy import COMMANDS as ACTIONS
from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.service.rooms import Shown
from batonbox_server.store.rooms_port import RoomOf, Version
from batonbox_server.wire import COMMANDS

from .answers import Items, ThreadMessage
from .answers_rooms import ChannelItem, MyRoom, RoomDone, RoomSeen, RoomWithPeople, VersionItem
from .endpoint import Call, Endpoint, Handler
from .naming import listed
from .rest import BODIES, Earlier, admitted_cid, body_of
from .shapes import message_json, my_room_json, room_json, timestamp

__all__ = ["ENDPOINTS"]


class SeenPosts(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `seen`: of how many posts, as the room's row counts them."""

    posts: Annotated[int, Meta(ge=0, le=2**53 - 1)]


async def _mine(call: Call) -> dict[str, Any]:
    """The rooms the caller is in, the one with the newest post first."""
    found = await call.services.rooms.mine(call.principal)
    return listed([my_room_json(room) for room in found])


async def _channels(call: Call) -> dict[str, Any]:
    """Public channels and those the caller is in, by name; an admin: every one."""
    found = await call.services.rooms.channels(call.principal)
    return listed([_channel_json(shown) for shown in found])


async def _room(call: Call) -> dict[str, Any]:
    """A room the caller is in: its row, its people, and what the caller has seen of it."""
    state, marks = await call.services.rooms.one(call.principal, room=_id(call))
    unread = max(0, state.row["posts"] - marks.read)
    shown = my_room_json(RoomOf(state.row, unread, len(marks.mentions)))
    return {**shown, "members": sorted(state.members), "read": marks.read, "seq": state.seq}


async def _messages(call: Call) -> dict[str, Any]:
    """A room's lines, the newest ones or those below `before`."""
    query = call.query(Earlier)
    found = await call.services.reads.history(
        call.principal, conv=_id(call), before=query.before, n=query.limit
    )
    return {"items": [message_json(line) for line in found["messages"]], "next": found["next"]}


async def _versions(call: Call) -> dict[str, Any]:
    """What stood in an edited or deleted post of a channel, the oldest first; for its admins."""
    n = call.path("n")
    if not (n.isascii() and n.isdecimal() and len(n) <= 15):
        raise Refused("not_found", "n: a number.")
    found = await call.services.rooms.versions(call.principal, room=_id(call), n=int(n))
    return listed([_version_json(version) for version in found])


async def _seen(call: Call) -> dict[str, Any]:
    """The caller has seen this many of the room's posts; never fewer than before."""
    body, room = await call.body(SeenPosts), _id(call)
    seen = await call.services.reads.seen(call.principal, conv=room, att=str(body.posts))
    return {"seen": seen}


def _command(name: str, body: type[msgspec.Struct]) -> Handler:
    """The endpoint of a room's command; answers with its result and the room's present row."""

    async def run(call: Call) -> dict[str, Any]:
        cid = admitted_cid(call)
        fields = {**msgspec.to_builtins(await call.body(body)), "cid": cid}
        if "room" in call.request.path_params:
            fields["conv"] = _id(call)
        try:
            args = msgspec.convert(fields, COMMANDS[name])
        except msgspec.ValidationError as error:
            raise Refused("bad_request", f"path or body: {error}") from error
        result = await call.services.commands.run(call.principal, name, args)
        row = result.pop("row", None)
        try:
            row = row or await call.services.rooms.row(call.principal, room=result["conv"])
        except Refused:
            pass  # the command stands; only reading it back failed
        return {**result, "room": room_json(row)} if row else result

    run.__doc__ = COMMANDS[name].__doc__
    return run


def _id(call: Call) -> str:
    room = call.path("room")
    if not is_room(room):
        raise Refused("not_found", "There is no such room.")
    return room


def _channel_json(shown: Shown) -> dict[str, Any]:
    channel = shown.channel
    return {
        "id": channel.id,
        "name": channel.name,
        "kind": channel.kind,
        "archived_at": timestamp(channel.archived),
        "member": shown.member,
        "members": shown.members,
    }


def _version_json(version: Version) -> dict[str, Any]:
    at_ms = version.at_ms
    return {"at_ms": at_ms, "at": timestamp(at_ms), "by": version.by, "body": version.body}


_ERRORS: Final = (
    "conflict",
    "not_found",
    "target_not_member",
    "media_refused",
    "idempotency_mismatch",
    "rate_limited",
    "durability_timeout",
)


def _command_row(name: str, path: str, status: int = 200) -> Endpoint:
    # The one of `unread` is the conversations', in the API's document too.
    body = BODIES[name] if name in BODIES else body_of(name)
    return Endpoint(
        "POST",
        path,
        ACTIONS[name],
        _command(name, body),
        status,
        body=body,
        returns=RoomDone,
        errors=_ERRORS,
        keyed=True,
    )


_OF_ONE: Final = (
    "join",
    "leave",
    "invite",
    "remove",
    "rename",
    "archive",
    "post",
    "edit",
    "delete",
    "unread",
)
ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint("GET", "/v1/rooms", Action.SEE, _mine, returns=Items[MyRoom]),
    Endpoint("GET", "/v1/channels", Action.SEE, _channels, returns=Items[ChannelItem]),
    _command_row("create", "/v1/rooms", 201),
    _command_row("open_dm", "/v1/rooms/direct"),
    Endpoint(
        "GET", "/v1/rooms/{room}", Action.SEE, _room, returns=RoomWithPeople, errors=("not_found",)
    ),
    Endpoint(
        "GET",
        "/v1/rooms/{room}/messages",
        Action.SEE,
        _messages,
        query=Earlier,
        returns=Items[ThreadMessage],
        errors=("not_found",),
    ),
    Endpoint(
        "GET",
        "/v1/rooms/{room}/messages/{n}/versions",
        Action.SEE,
        _versions,
        returns=Items[VersionItem],
        errors=("not_found",),
    ),
    Endpoint(
        "POST",
        "/v1/rooms/{room}/seen",
        Action.MARK,
        _seen,
        body=SeenPosts,
        returns=RoomSeen,
        errors=("not_found",),
    ),
    *(_command_row(name, f"/v1/rooms/{{room}}/{name}") for name in _OF_ONE),
)

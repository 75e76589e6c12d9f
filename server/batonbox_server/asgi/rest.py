"""Inboxes and conversations over HTTP: the websocket's commands with the same permissions."""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from batonbox_server.domain.model import is_room
from batonbox_server.domain.policy import COMMANDS as ACTIONS
from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.service.views import frame_of_inbox, frame_of_user
from batonbox_server.wire import COMMANDS, ROOM_COMMANDS

from . import answers
from .endpoint import Call, Endpoint, Handler
from .shapes import message_json, row_json, timestamp

__all__ = ["BODIES", "ENDPOINTS", "KEY_PATTERN", "Earlier", "Limit", "admitted_cid", "body_of"]

KEY_PATTERN: Final = r"[\x21-\x7e]{1,200}"
_KEY: Final = re.compile(KEY_PATTERN)


Limit = Annotated[int, Meta(ge=1, le=200)]


class Listing(msgspec.Struct):
    """Query of conversations; `after` is the last answer's `next`."""

    inbox: str = ""
    view: Literal["unassigned", "mine", "others", "open", "done"] = "open"
    limit: Limit = 50
    after: str = ""


class Earlier(msgspec.Struct):
    """Query of messages: those below number `before`, 0 for the newest."""

    before: Annotated[int, Meta(ge=0, le=2**53 - 1)] = 0
    limit: Limit = 50


class Seen(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `seen`."""

    att: str


async def _me(call: Call) -> dict[str, Any]:
    """The caller, and the inboxes they see."""
    directory, name = call.services.directory, call.principal.user
    return {
        **_colleague(call, name),
        "organisation": {"name": directory.name},
        "inboxes": sorted(directory.inboxes_of(name)),
        "joined": sorted(directory.joined_by(name)),
    }


async def _users(call: Call) -> dict[str, Any]:
    """Every team member, as colleagues see each other."""
    names = sorted(call.services.directory.users)
    return {"items": [_colleague(call, name) for name in names], "next": None}


async def _connection_token(call: Call) -> dict[str, Any]:
    """A short-lived token for one websocket."""
    token, end_ms = call.services.identity.connection_token(call.principal)
    return {"token": token, "expires_at": timestamp(end_ms)}


async def _inboxes(call: Call) -> dict[str, Any]:
    """The inboxes the caller sees."""
    names = call.services.directory.inboxes_of(call.principal.user)
    return {"items": [_inbox_json(call, name) for name in sorted(names)], "next": None}


async def _inbox(call: Call) -> dict[str, Any]:
    """One inbox."""
    name = _visible(call, call.path("inbox"))
    return _inbox_json(call, name)


async def _conversations(call: Call) -> dict[str, Any]:
    """Conversations newest first."""
    query = call.query(Listing)
    rows, after = await call.services.reads.newest(
        call.principal,
        inbox=_visible(call, query.inbox) if query.inbox else None,
        view=query.view,
        after=query.after,
        n=query.limit,
    )
    return {"items": [row_json(row) for row in rows], "next": after}


async def _conversation(call: Call) -> dict[str, Any]:
    """A conversation with its newest messages."""
    found = await call.services.reads.history(call.principal, conv=_conv(call), before=0, n=50)
    return {
        **row_json(found["row"]),
        "messages": [message_json(message) for message in found["messages"]],
        "messages_next": found["next"],
    }


async def _messages(call: Call) -> dict[str, Any]:
    """A conversation's messages, the newest ones or those below `before`."""
    query = call.query(Earlier)
    found = await call.services.reads.history(
        call.principal, conv=_conv(call), before=query.before, n=query.limit
    )
    return {
        "items": [message_json(message) for message in found["messages"]],
        "next": found["next"],
    }


async def _seen(call: Call) -> dict[str, Any]:
    """I have seen the conversation as of attention mark `att`."""
    body = await call.body(Seen)
    conv = _conv(call)
    return {"seen": await call.services.reads.seen(call.principal, conv=conv, att=body.att)}


def _conv(call: Call) -> str:
    conv = call.path("conv")
    if is_room(conv):
        raise Refused("not_found", "This is a room's id: rooms are at /v1/rooms.")
    return conv


def body_of(name: str) -> type[msgspec.Struct]:
    """A command's arguments without those that path and headers carry."""
    command = COMMANDS[name]
    elsewhere = {"cid", "inbox" if name == "compose" else "conv"}
    kept = [
        (
            field.name,
            field.type,
            msgspec.field(  # type: ignore[call-overload]
                default=field.default,
                default_factory=field.default_factory,
                name=field.encode_name,
            ),
        )
        for field in msgspec.structs.fields(command)
        if field.name not in elsewhere
    ]
    return msgspec.defstruct(
        "".join(part.capitalize() for part in name.split("_")) + "Body",
        kept,
        kw_only=True,
        forbid_unknown_fields=True,
        namespace={"__doc__": command.__doc__},
    )


def _command(name: str) -> Handler:
    """The endpoint of a conversation command; answers with its result and the present row."""
    shape = BODIES[name]

    async def run(call: Call) -> dict[str, Any]:
        cid = admitted_cid(call)
        body = msgspec.to_builtins(await call.body(shape))
        fields = {**body, **call.request.path_params, "cid": cid}
        if "conv" in fields:
            fields["conv"] = _conv(call)
        try:
            args = msgspec.convert(fields, COMMANDS[name])
        except msgspec.ValidationError as error:
            raise Refused("bad_request", f"path or body: {error}") from error
        result = await call.services.commands.run(call.principal, name, args)
        try:
            row = await call.services.reads.row(call.principal, conv=result["conv"])
        except Refused:
            return result  # the command stands; only reading it back failed
        return {**result, "conversation": row_json(row)}

    run.__doc__ = COMMANDS[name].__doc__
    return run


def admitted_cid(call: Call) -> str:
    """The id of a command that counts from now on; raises Refused("rate_limited")."""
    wait_ms = call.services.admission.retry_ms(call.principal)
    if wait_ms:
        raise Refused("rate_limited", retry_ms=wait_ms)
    key = call.request.headers.get("idempotency-key")
    if key is None:
        return f"r:{uuid.uuid4().hex}"
    if not _KEY.fullmatch(key):
        raise Refused("bad_request", "Idempotency-Key: 1 to 200 visible ASCII characters.")
    if len(key) > 64:
        return "h:" + hashlib.sha256(key.encode()).hexdigest()
    return f"h:{key}"


def _visible(call: Call, inbox: str) -> str:
    if inbox in call.services.directory.inboxes_of(call.principal.user):
        return inbox
    if inbox in call.services.directory.inboxes:
        raise Refused("forbidden")
    raise Refused("not_found", "There is no such inbox.")


def _colleague(call: Call, name: str) -> dict[str, Any]:
    shown = frame_of_user(call.services.directory.users[name])
    return {**shown, "presence": call.services.presence.of(name)}


def _inbox_json(call: Call, name: str) -> dict[str, Any]:
    directory = call.services.directory
    joined = name in directory.joined_by(call.principal.user)
    return {**frame_of_inbox(directory.inboxes[name]), "joined": joined}


def _command_row(name: str, path: str, status: int = 200) -> Endpoint:
    return Endpoint(
        "POST",
        path,
        ACTIONS[name],
        _command(name),
        status,
        body=BODIES[name],
        returns=answers.Done,
        errors=_COMMAND_ERRORS,
        keyed=True,
        vital=name == "reply",
    )


# Commands that are not about a conversation.
_ELSEWHERE: Final = {"compose", "set_away", *ROOM_COMMANDS}
BODIES: Final = {
    name: body_of(name) for name in COMMANDS if name not in {"set_away", *ROOM_COMMANDS}
}
_COMMAND_ERRORS: Final = (
    "conflict",
    "not_owner",
    "stale_token",
    "new_activity",
    "recipient_opted_out",
    "target_not_member",
    "number_not_routed",
    "not_undoable",
    "idempotency_mismatch",
    "rate_limited",
    "durability_timeout",
)
ENDPOINTS: Final = (
    Endpoint("GET", "/v1/me", Action.SIGN_IN, _me, returns=answers.Me),
    Endpoint("GET", "/v1/users", Action.SIGN_IN, _users, returns=answers.Items[answers.Colleague]),
    Endpoint(
        "POST",
        "/v1/connection-tokens",
        Action.SIGN_IN,
        _connection_token,
        201,
        returns=answers.ConnectionToken,
    ),
    Endpoint(
        "GET", "/v1/inboxes", Action.SEE, _inboxes, returns=answers.Items[answers.JoinableInbox]
    ),
    Endpoint("GET", "/v1/inboxes/{inbox}", Action.SEE, _inbox, returns=answers.JoinableInbox),
    _command_row("compose", "/v1/inboxes/{inbox}/compose", 201),
    Endpoint(
        "GET",
        "/v1/conversations",
        Action.SEE,
        _conversations,
        query=Listing,
        returns=answers.Items[answers.Conversation],
        errors=("not_found",),
    ),
    Endpoint("GET", "/v1/conversations/{conv}", Action.SEE, _conversation, returns=answers.Thread),
    Endpoint(
        "GET",
        "/v1/conversations/{conv}/messages",
        Action.SEE,
        _messages,
        query=Earlier,
        returns=answers.Items[answers.ThreadMessage],
    ),
    Endpoint(
        "POST",
        "/v1/conversations/{conv}/seen",
        Action.MARK,
        _seen,
        body=Seen,
        returns=answers.Marked,
    ),
    *(
        _command_row(name, f"/v1/conversations/{{conv}}/{name}")
        for name in COMMANDS
        if name not in _ELSEWHERE
    ),
)

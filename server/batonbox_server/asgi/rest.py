"""Inboxes and conversations over HTTP: the websocket's commands with the same permissions."""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Any, Final

import msgspec

from batonbox_server.domain.policy import COMMANDS as ACTIONS
from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.service.views import frame_of_inbox, frame_of_user
from batonbox_server.wire import COMMANDS

from .endpoint import Call, Endpoint, Handler
from .shapes import message_json, row_json, timestamp

__all__ = ["ENDPOINTS"]

_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")
_MOST: Final = 200


class Seen(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `seen`."""

    att: str


async def _me(call: Call) -> dict[str, Any]:
    directory, name = call.services.directory, call.principal.user
    return {
        **frame_of_user(directory.users[name]),
        "organisation": {"name": directory.name},
        "inboxes": sorted(directory.inboxes_of(name)),
        "joined": sorted(directory.joined_by(name)),
    }


async def _connection_token(call: Call) -> dict[str, Any]:
    token, end_ms = call.services.identity.connection_token(call.principal)
    return {"token": token, "expires_at": timestamp(end_ms)}


async def _inboxes(call: Call) -> dict[str, Any]:
    names = call.services.directory.inboxes_of(call.principal.user)
    return {"items": [_inbox_json(call, name) for name in sorted(names)], "next": None}


async def _inbox(call: Call) -> dict[str, Any]:
    name = _visible(call, call.path("inbox"))
    return _inbox_json(call, name)


async def _conversations(call: Call) -> dict[str, Any]:
    query = call.query(inbox="", view="open", limit="50", after="")
    inbox = query["inbox"]
    rows, after = await call.services.reads.newest(
        call.principal,
        inbox=_visible(call, inbox) if inbox else None,
        view=query["view"],
        after=query["after"],
        n=_number(query["limit"], field="limit", most=_MOST),
    )
    return {"items": [row_json(row) for row in rows], "next": after}


async def _conversation(call: Call) -> dict[str, Any]:
    found = await call.services.reads.history(
        call.principal, conv=call.path("conv"), before=0, n=50
    )
    return {
        **row_json(found["row"]),
        "messages": [message_json(message) for message in found["messages"]],
        "messages_next": found["next"],
    }


async def _messages(call: Call) -> dict[str, Any]:
    query = call.query(before="0", limit="50")
    found = await call.services.reads.history(
        call.principal,
        conv=call.path("conv"),
        before=_number(query["before"], field="before", least=0, most=2**53 - 1),
        n=_number(query["limit"], field="limit", most=_MOST),
    )
    return {
        "items": [message_json(message) for message in found["messages"]],
        "next": found["next"],
    }


async def _seen(call: Call) -> dict[str, Any]:
    body = await call.body(Seen)
    conv = call.path("conv")
    return {"seen": await call.services.reads.seen(call.principal, conv=conv, att=body.att)}


def _command(name: str) -> Handler:
    """The endpoint of a conversation command; answers with its result and the present row."""

    async def run(call: Call) -> dict[str, Any]:
        _admit(call)
        body = await call.body(dict[str, Any])
        for reserved in ("cid", *call.request.path_params):
            if reserved in body:
                raise Refused("bad_request", f"{reserved}: not in the body; see the path and keys.")
        fields = {**body, **call.request.path_params, "cid": _cid(call)}
        try:
            args = msgspec.convert(fields, COMMANDS[name])
        except msgspec.ValidationError as error:
            raise Refused("bad_request", f"body: {error}") from error
        result = await call.services.commands.run(call.principal, name, args)
        try:
            row = await call.services.reads.row(call.principal, conv=result["conv"])
        except Refused:
            return result  # the command stands; only reading it back failed
        return {**result, "conversation": row_json(row)}

    return run


def _admit(call: Call) -> None:
    wait_ms = call.services.admission.retry_ms(call.principal)
    if wait_ms:
        raise Refused("rate_limited", retry_ms=wait_ms)


def _cid(call: Call) -> str:
    key = call.request.headers.get("idempotency-key")
    if key is None:
        return f"r:{uuid.uuid4().hex}"
    if not _KEY.fullmatch(key):
        raise Refused("bad_request", "Idempotency-Key: 1 to 200 visible ASCII characters.")
    if len(key) > 64:
        return "h:" + hashlib.sha256(key.encode()).hexdigest()
    return f"h:{key}"


def _number(text: str, *, field: str, least: int = 1, most: int) -> int:
    if not text.isdecimal() or len(text) > 16 or not least <= int(text) <= most:
        raise Refused("bad_request", f"{field}: a number from {least} to {most}.")
    return int(text)


def _visible(call: Call, inbox: str) -> str:
    if inbox in call.services.directory.inboxes_of(call.principal.user):
        return inbox
    if inbox in call.services.directory.inboxes:
        raise Refused("forbidden")
    raise Refused("not_found", "There is no such inbox.")


def _inbox_json(call: Call, name: str) -> dict[str, Any]:
    directory = call.services.directory
    joined = name in directory.joined_by(call.principal.user)
    return {**frame_of_inbox(directory.inboxes[name]), "joined": joined}


ENDPOINTS: Final = (
    Endpoint("GET", "/v1/me", Action.SIGN_IN, _me),
    Endpoint("POST", "/v1/connection-tokens", Action.SIGN_IN, _connection_token, 201),
    Endpoint("GET", "/v1/inboxes", Action.SEE, _inboxes),
    Endpoint("GET", "/v1/inboxes/{inbox}", Action.SEE, _inbox),
    Endpoint("POST", "/v1/inboxes/{inbox}/compose", Action.COMPOSE, _command("compose"), 201),
    Endpoint("GET", "/v1/conversations", Action.SEE, _conversations),
    Endpoint("GET", "/v1/conversations/{conv}", Action.SEE, _conversation),
    Endpoint("GET", "/v1/conversations/{conv}/messages", Action.SEE, _messages),
    Endpoint("POST", "/v1/conversations/{conv}/seen", Action.MARK, _seen),
    *(
        Endpoint("POST", f"/v1/conversations/{{conv}}/{name}", ACTIONS[name], _command(name))
        for name in COMMANDS
        if name != "compose"
    ),
)

"""How the directory's records are stored and told: MessagePack maps without surprises."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Availability, Destination, InboxOptions, ReopenTo, Role
from batonbox_server.domain.policy import ALL_SCOPES
from batonbox_server.store.directory_port import Inbox, Invite, Job, Move, Route, Token, User

__all__ = [
    "inbox_from",
    "inbox_map",
    "invite_from",
    "invite_map",
    "job_from",
    "job_map",
    "options_from",
    "options_map",
    "pack",
    "route_from",
    "route_map",
    "token_from",
    "token_map",
    "unpack",
    "user_from",
    "user_map",
]


def pack(value: Any) -> bytes:
    """As bytes for the engine."""
    return bytes(msgpack.packb(value))


def unpack(raw: bytes) -> Any:
    """What `pack` packed."""
    return msgpack.unpackb(raw)


def user_map(user: User) -> dict[str, Any]:
    """A user as events and the hash carry it."""
    return {
        "id": user.id,
        "name": user.name,
        "role": str(user.role),
        "active": user.active,
        "bot": user.bot,
        "away": str(user.away),
    }


def user_from(found: dict[str, Any]) -> User:
    """The reverse of `user_map`."""
    return User(
        found["id"],
        found["name"],
        Role(found["role"]),
        found.get("active", True),
        found.get("bot", False),
        Availability(found.get("away", "")),
    )


def invite_map(invite: Invite) -> dict[str, Any]:
    """An invitation as it waits to be accepted; its code is nowhere."""
    return {**asdict(invite), "role": str(invite.role), "inboxes": list(invite.inboxes)}


def invite_from(found: dict[str, Any]) -> Invite:
    """The reverse of `invite_map`."""
    return Invite(**{**found, "role": Role(found["role"]), "inboxes": tuple(found["inboxes"])})


def inbox_map(inbox: Inbox) -> dict[str, Any]:
    """An inbox as events and the hash carry it."""
    return {
        "id": inbox.id,
        "name": inbox.name,
        "members": list(inbox.members),
        "numbers": list(inbox.numbers),
        "deleted": inbox.deleted,
        "kind": str(inbox.kind),
        "extension": inbox.extension,
        "live": inbox.live,
        "options": options_map(inbox.options),
    }


def inbox_from(found: dict[str, Any]) -> Inbox:
    """The reverse of `inbox_map`."""
    return Inbox(
        found["id"],
        found["name"],
        tuple(found["members"]),
        tuple(found["numbers"]),
        found["deleted"],
        Destination(found.get("kind", "department")),
        found.get("extension", ""),
        # Every inbox had a log, and was seen, before there were destinations without a number.
        found.get("live", True),
        options_from(found.get("options") or {}),
    )


def options_map(options: InboxOptions) -> dict[str, Any]:
    """An inbox's options; every one has its default, so none needs to be there."""
    return {**asdict(options), "reopen_to": str(options.reopen_to)}


def options_from(found: dict[str, Any]) -> InboxOptions:
    """The reverse of `options_map`."""
    if not found:
        return InboxOptions()
    return InboxOptions(**{**found, "reopen_to": ReopenTo(found.get("reopen_to", "queue"))})


def route_map(route: Route) -> dict[str, Any]:
    """A number as events and the hash carry it."""
    return asdict(route)


def route_from(found: dict[str, Any]) -> Route:
    """The reverse of `route_map`."""
    move = found.get("move")
    return Route(
        found["number"],
        found["inbox"],
        found["carrier"],
        found.get("messaging", True),
        None if move is None else Move(**move),
    )


def token_map(token: Token, *, sha256: str) -> dict[str, Any]:
    """A token as it is stored; its secret is nowhere."""
    return {
        "id": token.id,
        "user": token.user,
        "created_ms": token.created_ms,
        "label": token.label,
        "limits": token.limits,
        "kind": token.kind,
        "scopes": list(token.scopes),
        "used_ms": token.used_ms,
        "agent": token.agent,
        "address": token.address,
        "sha256": sha256,
    }


def token_from(found: dict[str, Any], *, expires_ms: int = 0) -> Token:
    """The reverse of `token_map`; the end stands beside the record, since it moves."""
    return Token(
        found["id"],
        found["user"],
        found["created_ms"],
        found["label"],
        found["limits"] or {},
        found.get("kind", "api"),
        expires_ms,
        # A token that was made before there were scopes may what its user may.
        tuple(found.get("scopes", ALL_SCOPES)),
        found.get("used_ms", 0),
        found.get("agent", ""),
        found.get("address", ""),
    )


def job_map(job: Job) -> dict[str, Any]:
    """A job as it waits to be done."""
    return {"id": job.id, "kind": job.kind, "inbox": job.inbox, "data": job.data}


def job_from(found: dict[str, Any]) -> Job:
    """The reverse of `job_map`."""
    return Job(found["id"], found["kind"], found["inbox"], found["data"] or {})

"""Rooms over HTTP: commands that succeed, refusals by their slug, and somebody new."""

from __future__ import annotations

import uuid
from typing import Any

from batonbox_server.domain.model import Role
from batonbox_server.store.directory_port import User
from tests.served import Served

__all__ = ["channel", "code", "lines", "ok", "person"]


async def ok(site: Served, user: str, path: str, /, **body: Any) -> dict[str, Any]:
    """A command of a room, or on rooms, that succeeds."""
    answer = await site.call(user, "POST", f"/v1/rooms{path}", body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def code(site: Served, user: str, path: str, /, **body: Any) -> str:
    """The slug of the refusal."""
    answer = await site.call(user, "POST", f"/v1/rooms{path}", body)
    assert not answer.is_success, answer.text
    return str(answer.json()["code"])


async def channel(site: Served, *members: str, private: bool = False) -> str:
    """A channel made by the admin, who is in it too."""
    name = f"room {uuid.uuid4().hex[:8]}"
    made = await ok(site, "admin", "", name=name, private=private, members=list(members))
    return str(made["conv"])


async def lines(site: Served, user: str, room: str) -> list[dict[str, Any]]:
    """The room's lines, the oldest first."""
    return list((await site.get(user, f"/v1/rooms/{room}/messages"))["items"])


async def person(site: Served, role: Role = Role.MEMBER) -> str:
    """Somebody new."""
    name = f"p{uuid.uuid4().hex[:8]}"
    await site.node.administration.create_user(User(name, name, role))
    return name

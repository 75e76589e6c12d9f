"""The live view over HTTP."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from msgspec import Struct

from batonbox_server.domain.policy import Action
from batonbox_server.service.live import View
from batonbox_server.store.live_port import NodeReport, Overview

from .endpoint import Call, Endpoint
from .shapes import timestamp

__all__ = ["ENDPOINTS"]


class LiveNode(Struct):
    """A server process; `events_per_s` are changes made through it, over the last ten seconds."""

    id: str
    build: str
    connections: int
    events_per_s: float
    up_s: int


class LiveInbox(Struct):
    """An inbox; `oldest_waiting_at` is since when an unassigned customer waits for an answer."""

    id: str
    name: str
    unassigned: int
    assigned: int
    oldest_waiting_at: str | None
    viewers: int


class LivePerson(Struct):
    """Somebody who is connected or has conversations."""

    user: str
    connections: int
    assigned: int


class LiveView(Struct):
    """Everything now, over all nodes."""

    at: str
    connections: int
    events_per_s: float
    unassigned: int
    assigned: int
    oldest_waiting_at: str | None
    nodes: list[LiveNode]
    inboxes: list[LiveInbox]
    people: list[LivePerson]


async def _live(call: Call) -> dict[str, Any]:
    """Who is connected, how much happens and who waits; at most a second old."""
    view = await call.services.live.view()
    names = {name: inbox.name for name, inbox in call.services.directory.inboxes.items()}
    viewers = sum((Counter(node.viewers) for node in view.nodes), Counter[str]())
    inboxes = [
        _inbox(name, names[name], one, viewers[name])
        for name, one in view.inboxes.items()
        if name in names
    ]
    waiting = [one.oldest_ms for one in view.inboxes.values() if one.oldest_ms]
    return {
        "at": timestamp(view.at_ms),
        "connections": sum(node.connections for node in view.nodes),
        "events_per_s": round(sum(node.changes_per_s for node in view.nodes), 2),
        "unassigned": sum(one["unassigned"] for one in inboxes),
        "assigned": sum(one["assigned"] for one in inboxes),
        "oldest_waiting_at": timestamp(min(waiting)) if waiting else None,
        "nodes": [_node(node) for node in view.nodes],
        "inboxes": inboxes,
        "people": _people(view),
    }


def _node(node: NodeReport) -> dict[str, Any]:
    return {
        "id": node.id,
        "build": node.build,
        "connections": node.connections,
        "events_per_s": node.changes_per_s,
        "up_s": node.up_s,
    }


def _inbox(name: str, title: str, one: Overview, viewers: int) -> dict[str, Any]:
    return {
        "id": name,
        "name": title,
        "unassigned": one.unassigned,
        "assigned": sum(one.held.values()),
        "oldest_waiting_at": timestamp(one.oldest_ms) if one.oldest_ms else None,
        "viewers": viewers,
    }


def _people(view: View) -> list[dict[str, Any]]:
    connected, held = Counter[str](), Counter[str]()
    for node in view.nodes:
        connected.update(node.users)
    for one in view.inboxes.values():
        held.update(one.held)
    return [
        {"user": user, "connections": connected[user], "assigned": held[user]}
        for user in sorted(connected.keys() | held.keys())
    ]


ENDPOINTS: Final = (Endpoint("GET", "/v1/admin/live", Action.ADMINISTER, _live, returns=LiveView),)

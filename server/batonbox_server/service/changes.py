"""What an event or a newer reading changes in the directory; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batonbox_server.store.directory_port import Inbox, OrgState, Route, User
from batonbox_server.store.directory_records import inbox_from, route_from, user_from

__all__ = ["Delta", "delta_between", "delta_of_event"]


@dataclass(frozen=True, slots=True)
class Delta:
    """New values by name; None: gone. `name` is the organisation's, None: as it was."""

    users: dict[str, User | None] = field(default_factory=dict)
    inboxes: dict[str, Inbox | None] = field(default_factory=dict)
    routes: dict[str, Route | None] = field(default_factory=dict)
    name: str | None = None


def delta_of_event(kind: str, body: Any) -> Delta:
    """An event of the organisation's log; empty for those about tokens."""
    match kind:
        case "user_changed":
            return Delta(users={body["id"]: user_from(body)})
        case "user_deleted":
            return Delta(users={body["id"]: None})
        case "inbox_changed":
            return Delta(inboxes={body["id"]: inbox_from(body)})
        case "inbox_deleted":
            return Delta(inboxes={body["id"]: None})
        case "route_changed":
            return Delta(routes={body["number"]: route_from(body)})
        case "route_deleted":
            return Delta(routes={body["number"]: None})
        case "organisation_changed":
            return Delta(name=body["name"])
    return Delta()


def delta_between(
    users: Mapping[str, User],
    inboxes: Mapping[str, Inbox],
    routes: Mapping[str, Route],
    state: OrgState,
    *,
    name: str,
) -> Delta:
    """What makes the known tables equal to `state`."""
    return Delta(
        _differences(users, state.users),
        _differences(inboxes, state.inboxes),
        _differences(routes, state.routes),
        None if name == state.name else state.name,
    )


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    changed = {name: value for name, value in new.items() if old.get(name) != value}
    return changed | {name: None for name in old if name not in new}

"""What the audit log says of a change to the organisation: the difference it makes; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from batonbox_server.domain.model import InboxOptions
from batonbox_server.store.by import pack_for_lua
from batonbox_server.store.directory_plan import Plan
from batonbox_server.store.directory_port import OrgState
from batonbox_server.store.directory_records import (
    inbox_map,
    options_map,
    route_map,
    unpack,
    user_map,
)

__all__ = ["acts_of", "packed_act"]

Record = dict[str, Any]
_STEPS: Final = frozenset({"hook_started", "hook_ending"})  # of changes that are told already
_NAMES: Final = ("id", "number", "name")  # what a record goes by, the first it has


def acts_of(plan: Plan, state: OrgState, *, actor: str) -> list[bytes]:
    """One packed entry per event of the plan that makes a difference to `state`."""
    return [packed_act(actor=actor, **act) for act in _acts(plan, state)]


def packed_act(
    *,
    action: str,
    actor: str,
    target: str,
    before: Record | None = None,
    after: Record | None = None,
    detail: Record | None = None,
    conv: str = "",
) -> bytes:
    """An entry as the scripts write it (lib/audit.lua)."""
    return pack_for_lua(
        [action, actor, conv, target, before or "", after or "", detail or ""],
    )


def _acts(plan: Plan, state: OrgState) -> Iterator[Record]:
    for event, body in plan.events:
        if event in _STEPS:
            continue
        told = _told(plan, event, unpack(body))
        target = str(next((told[name] for name in _NAMES if name in told), ""))
        old = plan.was.get(target) or _known(event, target, state)
        if event.endswith("_deleted"):
            yield {"action": event, "target": target, "before": old}
        elif old is None:
            action = event.replace("_changed", "_created")
            yield {"action": action, "target": target, "after": _shown(told)}
        elif old != told:
            yield {"target": target, **_difference(event, old, told)}


def _told(plan: Plan, event: str, told: Record) -> Record:
    """What the event says; an invitation's does not say whom it invites."""
    if event != "invite_changed":
        return told
    written = next(raw for _, name, raw in plan.writes if name == told["id"])
    record = unpack(written)
    return {name: record[name] for name in ("id", "user", "name", "role", "inboxes")}


def _known(event: str, target: str, state: OrgState) -> Record | None:
    """The record as it stands, None where there is none."""
    kind = event.rpartition("_")[0]
    if kind == "user" and target in state.users:
        return user_map(state.users[target])
    if kind == "inbox" and target in state.inboxes:
        return inbox_map(state.inboxes[target])
    if kind == "route" and target in state.routes:
        return route_map(state.routes[target])
    return {"name": state.name} if kind == "organisation" else None


def _difference(event: str, old: Record, new: Record) -> Record:
    """The fields that differ; of lists what came and what went, of maps what differs in them."""
    changed = [name for name in new if old.get(name) != new[name]]
    lists = [name for name in changed if isinstance(new[name], list)]
    plain = [name for name in changed if name not in lists]
    detail = {}
    for name in lists:
        was = old.get(name) or []
        came = [item for item in new[name] if item not in was]
        went = [item for item in was if item not in new[name]]
        detail.update({f"{name}_added": came} if came else {})
        detail.update({f"{name}_removed": went} if went else {})
    before = {name: old.get(name) for name in plain}
    after = {name: new[name] for name in plain}
    for name in plain:
        if isinstance(was := before[name], dict) and isinstance(now := after[name], dict):
            differs = [part for part in now if was.get(part) != now[part]]
            before[name] = {part: was.get(part) for part in differs}
            after[name] = {part: now[part] for part in differs}
    action = _action(event, changed, new)
    return {"action": action, "before": before, "after": after, "detail": detail}


def _action(event: str, changed: list[str], new: Mapping[str, Any]) -> str:
    if event == "user_changed" and "active" in changed:
        return "user_reactivated" if new["active"] else "user_deactivated"
    if event == "user_changed" and changed == ["role"]:
        return "role_changed"
    if event == "user_changed" and changed == ["away"]:
        return "availability_set"
    return "members_changed" if event == "inbox_changed" and changed == ["members"] else event


def _shown(told: Record) -> Record:
    left_out: tuple[Any, ...] = ("", [], False, options_map(InboxOptions()))
    return {name: value for name, value in told.items() if value not in left_out}

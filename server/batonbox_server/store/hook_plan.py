"""Changes of webhooks, planned against one instant of the directory; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from batonbox_server.errors import Refused
from batonbox_server.store.directory_port import OrgState

from .directory_plan import Plan
from .directory_records import pack
from .hook_port import Hook

__all__ = ["hook_from", "plan_hook", "plan_hook_erased", "plan_new_hook", "plan_started"]

_MOST: Final = 50


def hook_map(hook: Hook) -> dict[str, Any]:
    """A webhook as it is stored."""
    return {
        "id": hook.id,
        "url": hook.url,
        "secret": hook.secret,
        "created_ms": hook.created_ms,
        "label": hook.label,
        "events": list(hook.events),
        "inboxes": list(hook.inboxes),
        "active": hook.active,
        "old_secret": hook.old_secret,
        "old_until_ms": hook.old_until_ms,
        "starting": dict(hook.starting),
        "deleted": hook.deleted,
    }


def hook_from(found: dict[str, Any]) -> Hook:
    """The reverse of `hook_map`."""
    lists = {name: tuple(found[name]) for name in ("events", "inboxes")}
    return Hook(**{**found, **lists})


def plan_new_hook(state: OrgState, hooks: Mapping[str, Hook], hook: Hook) -> tuple[Hook, Plan]:
    """A webhook that begins at the present end of every log it covers."""
    if len(hooks) >= _MOST:
        raise Refused("conflict", f"There are {_MOST} webhooks already; delete some first.")
    made = replace(hook, starting=_starts(state, hook, state.inboxes))
    return made, _put(made, "hook_changed")


def plan_hook(state: OrgState, old: Hook, new: Hook) -> tuple[Hook, Plan]:
    """A change: what is covered now and was not before begins at the present end."""
    if new == old:
        return old, Plan()
    kept = {inbox: run for inbox, run in old.starting.items() if new.covers(inbox)}
    fresh = [i for i in state.inboxes if not old.active or not old.covers(i)] if new.active else []
    made = replace(new, starting={**kept, **_starts(state, new, fresh)})
    plan = _put(made, _event(old, new))
    plan.was[old.id] = {} if new.secret != old.secret else _told(old)
    return made, plan


def plan_started(hook: Hook, done: Mapping[str, str]) -> Plan:
    """These starts are made; one that was ordered again meanwhile is not."""
    left = {inbox: run for inbox, run in hook.starting.items() if done.get(inbox) != run}
    if left == hook.starting:
        return Plan()
    return _put(replace(hook, starting=left), "hook_started")


def plan_hook_erased(hook: Hook) -> Plan:
    """The record goes, and with it the secret."""
    plan = Plan()
    plan.drop("hooks", hook.id, "hook_deleted", {"id": hook.id})
    plan.was[hook.id] = _told(hook)
    return plan


def _starts(state: OrgState, hook: Hook, inboxes: Any) -> dict[str, str]:
    # The log's next seq: no other change of the directory can have the same.
    return {inbox: str(state.seq + 1) for inbox in inboxes if hook.covers(inbox)}


def _event(old: Hook, new: Hook) -> str:
    if new.deleted:
        return "hook_ending"
    return "hook_changed" if new.secret == old.secret else "hook_secret_replaced"


def _told(hook: Hook) -> dict[str, Any]:
    record = hook_map(hook)
    return {name: record[name] for name in ("id", "url", "label", "events", "inboxes", "active")}


def _put(hook: Hook, event: str) -> Plan:
    plan = Plan()
    plan.writes.append(("hooks", hook.id, pack(hook_map(hook))))
    plan.events.append((event, pack(_told(hook))))
    return plan

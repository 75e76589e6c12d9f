"""The audit log against the log: each change of ownership has its entry, and nothing else has."""

from __future__ import annotations

from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from tests.model.world import World

__all__ = ["compare_audit"]

_CHANGES: Final = {
    "assigned": "assign",
    "transferred": "transfer",
    "returned": "return",
    "done": "done",
    "undone": "undo",
    "composed": "assign",
}


async def compare_audit(world: World) -> None:
    """What the audit stream tells is what the events tell, in the same order."""
    assert await _told(world) == await _happened(world)


async def _told(world: World) -> list[tuple[Any, ...]]:
    raw = await world.client.execute("XRANGE", f"{world.prefix}:au", "-", "+")
    found = []
    for _, (_, origin, _, packed) in raw:
        action, actor, conv, target, before, after, detail = msgpack.unpackb(packed)
        assert bool(origin) == bool(actor), "an act of somebody says from where"
        changed = tuple(x and (x["status"], x["assignee"]) for x in (before, after))
        found.append((action, actor, conv, target, *changed, *_detail(detail)))
    return found


async def _happened(world: World) -> list[tuple[Any, ...]]:
    raw = await world.client.execute("XRANGE", f"{world.prefix}:log", "-", "+")
    found = []
    for _, fields in raw:
        meta = msgpack.unpackb(dict(zip(fields[::2], fields[1::2], strict=True))[b"f"])[3]
        entry = _entry(meta)
        if entry is not None:
            found.append(entry)
    return found


def _detail(detail: Any) -> tuple[Any, Any]:
    detail = detail or {}
    return detail.get("n"), detail.get("reason")


def _entry(meta: dict[str, Any]) -> tuple[Any, ...] | None:
    kind, actor, row = meta["type"], meta["actor"], meta.get("row", {})
    if kind == "delivery_changed" and actor:
        return ("retry", actor, meta["conv"], row["assignee"], "", "", meta["n"], None)
    # What a composition makes was nobody's before.
    before = meta.get("before", {"status": "done", "assignee": ""})
    reopened = kind == "received" and before["status"] == "done" and row["status"] == "assigned"
    if kind not in _CHANGES and not reopened:
        return None
    owner, action = row["assignee"], "assign" if reopened else _CHANGES[kind]
    reason = "reopened" if reopened else meta.get("reason")
    if kind == "composed" and before["assignee"] == owner:
        return None
    if kind == "composed":
        reason = "compose"
    if kind == "assigned" and owner != actor:
        action = "dispatch"
    if kind == "transferred" and owner == actor:
        action = "take_over"
    was, now = (before["status"], before["assignee"]), (row["status"], owner)
    return (action, actor, meta["conv"], owner, was, now, None, reason)

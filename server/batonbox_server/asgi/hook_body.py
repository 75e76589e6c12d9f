"""How events look to the receivers of webhooks."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from typing import Any, Final

import msgspec

from batonbox_server.domain.hook_events import TEST, names_of
from batonbox_server.service.hook_lines import Event
from batonbox_server.service.hook_turn import Lost
from batonbox_server.store.hook_port import Hook
from batonbox_server.store.port import LogEntry

from .shapes import row_json, timestamp

__all__ = ["GAP", "HookBody"]

# Told whichever events are wanted: it says that some of them will not come.
GAP: Final = "webhook.gap"
_WITH_TEXT: Final = frozenset({"received", "replied", "composed", "answered", "noted"})
_SAYS: Final = {
    "trimmed": "{} entries of the inbox's log were trimmed before they could be told",
    "epoch": "the inbox's log is another one than before; what was not told by then is missing",
    "fork": "the end of the inbox's log was rewritten; some events told before may not have been",
    "unreadable": "{} entry of the inbox's log could not be read; see the server's log",
}


class _Frame(msgspec.Struct, array_like=True, frozen=True):
    op: int
    inbox: str
    seq: int
    meta: dict[str, Any]
    body: Any
    tip: str


_frame = msgspec.msgpack.Decoder(_Frame)


class HookBody:
    """Implements `service.hook_turn.Render`; `name()` is what the organisation is called.

    An event's id is the same on every node and every attempt, and different for what a log that
    was rewritten has in the same place.
    """

    def __init__(self, name: Callable[[], str]) -> None:
        self._name = name

    def entry(self, hook: Hook, inbox: str, epoch: str, entry: LogEntry) -> list[Event]:
        """See the port."""
        frame = _frame.decode(entry.frame)
        wanted = [name for name in names_of(frame.meta) if hook.wants(name)]
        if not wanted:
            return []
        row = frame.meta.get("row")
        at_ms = entry.at_ms or (row["last_ms"] if row else 0)
        told = {"seq": frame.seq, **_told(frame)}
        conv = frame.meta.get("conv", "")
        return [
            self._event(
                _id(hook.id, inbox, epoch, frame.seq, frame.tip, name),
                name,
                at_ms,
                conv,
                inbox,
                told,
            )
            for name in wanted
        ]

    def lost(self, hook: Hook, inbox: str, lost: Lost) -> Event:
        """See the port."""
        name = _id(hook.id, inbox, lost.epoch, lost.seq, lost.reason, GAP)
        says = _SAYS[lost.reason].format(lost.missed)
        told = {"reason": lost.reason, "missed": lost.missed, "says": says}
        event = self._event(name, GAP, lost.at_ms, "", inbox, told)
        event.note = says
        return event

    def test(self, hook: Hook, at_ms: int) -> Event:
        """See the port."""
        return self._event(f"evt_{uuid.uuid4().hex}", TEST, at_ms, "", "", {"webhook": hook.id})

    def _event(
        self, event: str, name: str, at_ms: int, conv: str, inbox: str, told: dict[str, Any]
    ) -> Event:
        body = {
            "id": event,
            "type": name,
            "at": timestamp(at_ms),
            "organisation": {"name": self._name()},
            "inbox": inbox or None,
            **told,
        }
        return Event(event, name, conv, at_ms, msgspec.json.encode(body))


def _told(frame: _Frame) -> dict[str, Any]:
    meta = frame.meta
    told: dict[str, Any] = {"actor": meta.get("actor") or None}
    if "user" in meta:
        told["member"] = {"user": meta["user"], "role": meta.get("role") or None}
    if "row" not in meta:
        return told
    told["conversation"] = row_json(meta["row"])
    told["before"] = _before(meta.get("before"))
    message = _message(frame)
    if message is not None:
        told["message"] = message
    elif isinstance(frame.body, dict) and frame.body.get("note"):
        told["note"] = frame.body["note"]
    if meta.get("reason"):
        told["reason"] = meta["reason"]
    return told


def _before(before: dict[str, Any] | None) -> dict[str, Any] | None:
    return before and {"status": before["status"], "assignee": before["assignee"] or None}


def _message(frame: _Frame) -> dict[str, Any] | None:
    meta = frame.meta
    kind, state = meta["type"], meta.get("state") or None
    if kind == "delivery_changed":
        return {"n": meta["n"], "direction": "out", "state": state}
    if kind not in _WITH_TEXT:
        return None
    body = frame.body or {}
    direction = {"received": "in", "noted": "note"}.get(kind, "out")
    shown = {"n": meta["n"], "direction": direction, "state": state, "text": body.get("text", "")}
    if kind == "noted":
        return {**shown, "mentions": list(body.get("mentions", ()))}
    return {**shown, "media": list(body.get("media", ()))}


def _id(*parts: str | int) -> str:
    told = "\n".join(map(str, parts)).encode()
    return f"evt_{hashlib.sha256(told).hexdigest()[:32]}"

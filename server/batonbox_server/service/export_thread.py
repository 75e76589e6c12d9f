"""One conversation or room as a file: JSON, CSV or a page to print, in pieces as it is read."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from batonbox_server.domain.model import is_room
from batonbox_server.errors import Refused
from batonbox_server.store.contacts_port import Contact

from .contact_csv import disarmed
from .export import Shapes
from .export_page import foot_of, head_of, lines_of
from .export_source import Thread
from .export_words import SAID, line_words

__all__ = ["FORMAT", "ThreadExport", "zone_of"]

FORMAT: Final = "batonbox-conversation"
_COLUMNS: Final = ("n", "at", "kind", "by", "name", "text", "state", "reason", "files")
_NOBODY: Final = "Somebody"
_STATES: Final = {"queued": "Not sent yet", "sent": "Sent", "delivered": "Delivered"}
_STATES_OF_POSTS: Final = {"edited": "Edited", "deleted": "Deleted"}


def zone_of(name: str) -> tzinfo:
    """A time zone by its name, like America/Toronto; raises Refused("bad_request")."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Refused("bad_request", "zone: a name like America/Toronto or UTC.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadExport:
    """A thread in words: whose numbers and ids are whose, and where its reader's clock stands.

    `names` are people by id; `made_ms` is when the export was asked for.
    """

    thread: Thread
    names: Mapping[str, str]
    contact: Contact | None
    shapes: Shapes
    zone: tzinfo
    made_ms: int

    async def json(self) -> AsyncIterator[str]:
        """A map; its last key is `complete`, so that a part is no JSON."""
        row, shapes = self.thread.row, self.shapes
        room = is_room(row["id"])
        head: dict[str, Any] = {
            "format": FORMAT,
            "version": 1,
            "at": shapes.at(self.made_ms),
            "room" if room else "conversation": (shapes.room if room else shapes.row)(row),
            "contact": shapes.contact(self.contact) if self.contact else None,
        }
        yield _json(head)[:-1] + ',"messages":['
        people: set[str] = set()
        between = "\n"
        async for lines in self.thread.lines:
            for line in lines:
                people.update(_people_of(line))
                yield between + _json(shapes.message(line))
                between = ",\n"
        named = {name: self.names[name] for name in sorted(people) if name in self.names}
        yield f'\n],"people":{_json(named)},"complete":true}}\n'

    async def csv(self) -> AsyncIterator[str]:
        """A table; cells that a spreadsheet would take for formulas have an apostrophe before."""
        text = io.StringIO()
        rows = csv.writer(text, quoting=csv.QUOTE_ALL)
        text.write("\ufeff")
        rows.writerow(_COLUMNS)
        async for lines in self.thread.lines:
            for line in lines:
                shown = self._told(line)
                cells = [line[0], shown["instant"], shown["kind"], line[4], shown["by"],
                         shown["words"] or shown["text"], line[6], shown["reason"],
                         "; ".join(shown["files"])]  # fmt: skip
                rows.writerow([disarmed(str(cell)) for cell in cells])
            yield _taken(text)
        yield _taken(text)

    async def page(self) -> AsyncIterator[str]:
        """A page to print."""
        row = self.thread.row
        yield head_of(self.title(), self._facts(row))
        count = 0
        async for lines in self.thread.lines:
            count += len(lines)
            yield lines_of(map(self._told, lines))
        yield foot_of(f"{count} lines, exported {self._clock(self.made_ms)}. End of the export.")

    def title(self) -> str:
        """What it is called."""
        row = self.thread.row
        if not is_room(row["id"]):
            return f"Conversation with {self.contact.name if self.contact else row['customer']}"
        if row["name"]:
            return f"#{row['name']}"
        return "Direct messages: " + ", ".join(map(self._name, row["people"]))

    def _facts(self, row: Mapping[str, Any]) -> list[tuple[str, str]]:
        zone = ("Times", f"in {self.zone}")
        if is_room(row["id"]):
            return [("Room", row["id"]), ("Lines", str(row["n"])), zone]
        status = str(row["status"])
        if row["assignee"]:
            status += f" to {self._name(row['assignee'])}"
        return [
            ("Customer", self.contact.name if self.contact else "not in the contacts"),
            ("Their number", row["customer"]),
            ("Our number", row["our"]),
            ("Status", status),
            ("Conversation", row["id"]),
            zone,
        ]

    def _told(self, line: list[Any]) -> dict[str, Any]:
        """A line's parts, in words."""
        n, _, at_ms, kind, actor, _, state, body, *reason = line
        body = body if isinstance(body, dict) else {}
        told = {"n": n, "kind": kind, "actor": actor, "body": body}
        customer = self.contact.name if self.contact else self.thread.row.get("customer", "")
        return {
            "kind": kind,
            "instant": datetime.fromtimestamp(at_ms / 1000, self.zone).isoformat("T", "seconds"),
            "at": self._clock(at_ms),
            "by": customer if kind == "received" else self._name(actor) if actor else "",
            "words": "" if kind in SAID else line_words(told, self._name, self._clock),
            "text": str(body.get("text") or ""),
            "state": _state_words(state, reason),
            "reason": reason[0] if reason else "",
            "files": [_file_words(found) for found in body.get("media") or ()],
        }

    def _name(self, user: str) -> str:
        return self.names.get(user, user or _NOBODY)

    def _clock(self, at_ms: int) -> str:
        at = datetime.fromtimestamp(at_ms / 1000, self.zone)
        return f"{at:%Y-%m-%d %H:%M:%S %Z}"


def _people_of(line: list[Any]) -> set[str]:
    body = line[7] if isinstance(line[7], dict) else {}
    return {line[4], body.get("to") or "", *(body.get("mentions") or ())} - {""}


def _state_words(state: str, reason: list[str]) -> str:
    if state == "failed":
        return f"Not delivered{f' ({reason[0]})' if reason else ''}"
    return {**_STATES, **_STATES_OF_POSTS}.get(state, state)


def _file_words(found: Any) -> str:
    if not isinstance(found, dict):
        return str(found)
    size = f", {found['size']} bytes" if found.get("size") else ""
    return f"{found.get('name') or 'file'} ({found.get('type') or 'not fetched'}{size})"


def _taken(text: io.StringIO) -> str:
    written = text.getvalue()
    text.seek(0)
    text.truncate()
    return written


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

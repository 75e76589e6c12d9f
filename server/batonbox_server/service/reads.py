"""What members may read; every method goes through the store's own role check."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

from batonbox_server.domain.model import inbox_of
from batonbox_server.errors import Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.port import InboxStore

from .directory import LiveDirectory
from .media import Media

__all__ = ["InboxReads"]

_VIEWS: Final = frozenset({"unassigned", "mine", "others", "open", "done", "walk"})
# How many scans of others' conversations one request pays for before it answers with a cursor.
_SCANS: Final = 4


class InboxReads:
    """Implements `session.ports.Reads`, and lists over several inboxes for HTTP."""

    def __init__(self, store: InboxStore, directory: LiveDirectory, media: Media) -> None:
        self._store = store
        self._media = media
        self._directory = directory

    async def page(
        self, principal: Principal, *, inbox: str, view: str, after: str, n: int
    ) -> dict[str, Any]:
        """See the port."""
        if view not in _VIEWS:
            raise Refused("bad_request", f"view: one of {', '.join(sorted(_VIEWS))}.")
        page = await self._store.page(
            inbox=inbox, actor=principal.user, view=view, after=after, n=n
        )
        return {"rows": page.rows, "next": page.next or None, "seq": page.seq, "tip": page.tip}

    async def history(
        self, principal: Principal, *, conv: str, before: int, n: int
    ) -> dict[str, Any]:
        """See the port."""
        thread = await self._store.history(conv=conv, actor=principal.user, before=before, n=n)
        await self._media.complete(thread.messages)
        return {
            "row": thread.row,
            "messages": thread.messages,
            "next": thread.next or None,
            "seq": thread.seq,
        }

    async def check(
        self, principal: Principal, *, inbox: str, positions: Sequence[tuple[int, str]]
    ) -> dict[str, Any]:
        """See the port."""
        if inbox not in self._directory.inboxes_of(principal.user):
            raise Refused("forbidden")
        return {"missing": await self._store.check(inbox=inbox, positions=positions)}

    async def seen(self, principal: Principal, *, conv: str, att: str) -> bool:
        """See the port."""
        return await self._store.seen(conv=conv, actor=principal.user, att=att)

    async def row(self, principal: Principal, *, conv: str) -> dict[str, Any]:
        """The conversation's row."""
        thread = await self._store.history(conv=conv, actor=principal.user, before=0, n=1)
        return thread.row

    async def newest(
        self, principal: Principal, *, inbox: str | None, view: str, after: str, n: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Rows newest first, of one inbox or of every one the principal may see; and the cursor.

        The cursor is opaque: the position (last_ms, inbox, id) behind which the list continues.
        """
        if view not in _VIEWS - {"walk"}:
            raise Refused("bad_request", "view: one of done, mine, open, others, unassigned.")
        mine = self._directory.inboxes_of(principal.user)
        inboxes = sorted(mine) if inbox is None else [inbox]
        below = _decode(after)
        rows: list[dict[str, Any]] = []
        floor = 0
        for name in inboxes:
            found, reached = await self._below(principal, name, view=view, below=below, n=n)
            rows += found
            floor = max(floor, reached)
        # Below the highest point at which one inbox stopped, its rows might still be missing.
        rows = [row for row in rows if row["last_ms"] >= floor]
        rows.sort(key=_position, reverse=True)
        if len(rows) > n:
            rows = rows[:n]
            return rows, _encode(*_position(rows[-1]))
        return rows, _encode(floor, "", "") if floor else None

    async def _below(
        self,
        principal: Principal,
        inbox: str,
        *,
        view: str,
        below: tuple[int, str, str] | None,
        n: int,
    ) -> tuple[list[dict[str, Any]], int]:
        """Rows of one inbox below a position, and the last_ms down to which they are complete."""
        cursor = "" if below is None else str(below[0] + 1)
        rows: list[dict[str, Any]] = []
        for _ in range(_SCANS):
            page = await self._store.page(
                inbox=inbox, actor=principal.user, view=view, after=cursor, n=n
            )
            rows += [row for row in page.rows if below is None or _position(row) < below]
            cursor = page.next
            if not cursor or len(rows) >= n:
                break
        return rows, int(cursor) if cursor else 0


def _position(row: dict[str, Any]) -> tuple[int, str, str]:
    return row["last_ms"], inbox_of(row["id"]), row["id"]


def _encode(last_ms: int, inbox: str, conv: str) -> str:
    return base64.urlsafe_b64encode(f"{last_ms}|{inbox}|{conv}".encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[int, str, str] | None:
    if not cursor:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        last_ms, inbox, conv = text.split("|")
        return int(last_ms), inbox, conv
    except (ValueError, binascii.Error) as error:
        raise Refused("bad_request", "after: not a cursor of this list; leave it out.") from error

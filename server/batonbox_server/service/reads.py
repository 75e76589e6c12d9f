"""What members may read; every method goes through the store's own role check."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Sequence
from typing import Any, Final

from batonbox_server.domain.model import inbox_of, is_room
from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.port import InboxStore
from batonbox_server.store.rooms_port import RoomStore

from .directory import LiveDirectory
from .media import Media
from .rooms import private_to_its_two
from .scopes import check_scope

__all__ = ["InboxReads", "Place", "after_place", "place_after", "place_of"]

Place = tuple[int, str, str]  # (last_ms, inbox, conversation): where a row stands in merged lists
_VIEWS: Final = frozenset({"unassigned", "mine", "others", "open", "done", "all", "walk"})
_LISTS: Final = _VIEWS - {"walk"}
# How many scans of others' conversations one request pays for before it answers with a cursor.
_SCANS: Final = 4
_DIGITS_MOST: Final = 15


class InboxReads:
    """Implements `session.ports.Reads`, and lists over several inboxes for HTTP."""

    def __init__(
        self, store: InboxStore, rooms: RoomStore, directory: LiveDirectory, media: Media
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._media = media
        self._directory = directory

    async def page(
        self, principal: Principal, *, inbox: str, view: str, after: str, n: int
    ) -> dict[str, Any]:
        """See the port."""
        if view not in _VIEWS:
            raise Refused("bad_request", f"view: one of {', '.join(sorted(_VIEWS))}.")
        if is_room(inbox):
            raise Refused("bad_request", "inbox: this is a room; ROOMS tells all of yours.")
        page = await self._store.page(
            inbox=inbox, actor=principal.user, view=view, after=after, n=n
        )
        return {"rows": page.rows, "next": page.next or None, "seq": page.seq, "tip": page.tip}

    async def history(
        self, principal: Principal, *, conv: str, before: int, n: int
    ) -> dict[str, Any]:
        """See the port."""
        async with private_to_its_two(self._rooms, conv, principal.user):
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
        if is_room(inbox):
            async with private_to_its_two(self._rooms, inbox, principal.user):
                await self._in_room(principal, inbox)
        elif inbox not in self._directory.inboxes_of(principal.user):
            raise Refused("forbidden")
        return {"missing": await self._store.check(inbox=inbox, positions=positions)}

    async def seen(self, principal: Principal, *, conv: str, att: str) -> bool:
        """See the port."""
        if not is_room(conv):
            return await self._store.seen(conv=conv, actor=principal.user, att=att)
        if not (att.isascii() and att.isdigit() and len(att) <= _DIGITS_MOST):
            raise Refused("bad_request", "att: the row's `posts`, in decimal digits.")
        async with private_to_its_two(self._rooms, conv, principal.user):
            return await self._rooms.room_seen(room=conv, actor=principal.user, read=int(att))

    async def row(self, principal: Principal, *, conv: str) -> dict[str, Any]:
        """The conversation's row; Refused("forbidden") to a token that may not read."""
        check_scope(principal, Action.SEE)
        return (await self.row_at(principal, conv=conv))[0]

    async def row_at(self, principal: Principal, *, conv: str) -> tuple[dict[str, Any], int]:
        """The conversation's row, and the position of its log then."""
        thread = await self._store.history(conv=conv, actor=principal.user, before=0, n=1)
        return thread.row, thread.seq

    async def line(self, principal: Principal, *, conv: str, n: int) -> list[Any] | None:
        """Line `n` as it is now, None where it is no more."""
        thread = await self._store.history(conv=conv, actor=principal.user, before=n + 1, n=1)
        return next((line for line in thread.messages if line[0] == n), None)

    async def newest(
        self, principal: Principal, *, inbox: str | None, view: str, after: str, n: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Rows newest first, of one inbox or of every one the principal may see; and the cursor.

        The cursor is opaque: the position (last_ms, inbox, id) behind which the list continues.
        """
        if view not in _LISTS:
            raise Refused("bad_request", f"view: one of {', '.join(sorted(_LISTS))}.")
        below = place_after(after)
        inboxes, floor = [] if inbox is None else [inbox], 0
        if inbox is None:
            inboxes, floor = await self._with_newest(principal, view=view, below=below, n=n)
        rows: list[dict[str, Any]] = []
        for name in inboxes:
            found, reached = await self._below(principal, name, view=view, below=below, n=n)
            rows += found
            floor = max(floor, reached)
        # Below the highest point at which one inbox stopped, its rows might still be missing.
        rows = [row for row in rows if row["last_ms"] >= floor]
        rows.sort(key=place_of, reverse=True)
        if len(rows) > n:
            rows = rows[:n]
            return rows, after_place(place_of(rows[-1]))
        return rows, after_place((floor, "", "")) if floor else None

    async def _with_newest(
        self, principal: Principal, *, view: str, below: Place | None, n: int
    ) -> tuple[list[str], int]:
        """Of the inboxes they may see those that the `n` newest rows are in, and a bit above the
        newest row of all the others.

        Each of these has a row at its top (or has something in the archive, of which only the
        archive knows): the `n` highest have `n` rows that nothing in the others is above. Those as
        high as the last of them are among them.
        """
        mine = sorted(self._directory.inboxes_of(principal.user))
        if len(mine) <= n:
            return mine, 0
        # A place without an inbox is above all rows of its time, and they are still to come.
        below_ms = None if below is None else below[0] + bool(below[1])
        tops = await self._store.tops(mine, actor=principal.user, view=view, below_ms=below_ms)
        heights = sorted((top for top in tops.values() if math.isfinite(top)), reverse=True)
        lowest = heights[n - 1] if len(heights) >= n else 0.0
        floor = max((int(top) + 1 for top in heights if top < lowest), default=0)
        return sorted(name for name, top in tops.items() if top >= lowest), floor

    async def _in_room(self, principal: Principal, room: str) -> None:
        if not (await self._rooms.room_marks(room=room, user=principal.user)).since_seq:
            raise Refused("forbidden", "You are not in this room.")

    async def _below(
        self,
        principal: Principal,
        inbox: str,
        *,
        view: str,
        below: Place | None,
        n: int,
    ) -> tuple[list[dict[str, Any]], int]:
        """Rows of one inbox below a position, and the last_ms down to which they are complete."""
        cursor = "" if below is None else str(below[0] + 1)
        rows: list[dict[str, Any]] = []
        for _ in range(_SCANS):
            page = await self._store.page(
                inbox=inbox, actor=principal.user, view=view, after=cursor, n=n
            )
            rows += [row for row in page.rows if below is None or place_of(row) < below]
            cursor = page.next
            if not cursor or len(rows) >= n:
                break
        return rows, int(cursor) if cursor else 0


def place_of(row: dict[str, Any]) -> Place:
    """Where a row stands, newest first."""
    return row["last_ms"], inbox_of(row["id"]), row["id"]


def after_place(place: Place) -> str:
    """The opaque cursor behind which a list continues."""
    last_ms, inbox, conv = place
    return base64.urlsafe_b64encode(f"{last_ms}|{inbox}|{conv}".encode()).decode().rstrip("=")


def place_after(cursor: str) -> Place | None:
    """The place a cursor names, None at the beginning; raises Refused("bad_request")."""
    if not cursor:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        last_ms, inbox, conv = text.split("|")
        return int(last_ms), inbox, conv
    except (ValueError, binascii.Error) as error:
        raise Refused("bad_request", "after: not a cursor of this list; leave it out.") from error

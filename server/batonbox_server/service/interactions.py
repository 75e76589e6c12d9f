"""Interactions: all conversations with customers and all rooms a person may see, in one list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from batonbox_server.session.ports import Principal
from batonbox_server.store.rooms_port import RoomOf

from .reads import InboxReads, Place, after_place, place_after, place_of
from .rooms import Rooms, is_direct

__all__ = ["Filter", "Interaction", "Interactions"]

Filter = Literal["all", "external", "direct", "channels"]
_WHOLE: Final[Place] = (0, "", "")


@dataclass(frozen=True, slots=True)
class Interaction:
    """A conversation's row, or (`room`) a room with what its reader has not seen."""

    place: Place
    row: dict[str, Any]
    room: RoomOf | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    """Some of one list's items, and the place down to which these are all."""

    items: Sequence[Interaction]
    down_to: Place = _WHOLE


class Interactions:
    """Newest first; what does not move meanwhile is on one of the pages, and on one alone."""

    def __init__(self, reads: InboxReads, rooms: Rooms) -> None:
        self._reads = reads
        self._rooms = rooms

    async def page(
        self, principal: Principal, *, show: Filter, after: str, n: int
    ) -> tuple[list[Interaction], str | None]:
        """Up to `n` behind the opaque cursor `after`, and the next cursor (None: no more)."""
        sources = []
        if show in {"all", "external"}:
            sources.append(await self._external(principal, after=after, n=n))
        if show != "external":
            sources.append(await self._internal(principal, show=show, after=after, n=n))
        return _merged(sources, n)

    async def _external(self, principal: Principal, *, after: str, n: int) -> _Source:
        rows, further = await self._reads.newest(
            principal, inbox=None, view="all", after=after, n=n
        )
        items = [Interaction(place_of(row), row) for row in rows]
        return _Source(items, place_after(further or "") or _WHOLE)

    async def _internal(self, principal: Principal, *, show: Filter, after: str, n: int) -> _Source:
        """Rows are read of rooms at the top alone: as many as a page has, and again if too few."""
        below, times = place_after(after), await self._rooms.times(principal)
        places: list[Place] = [
            (last_ms, room, room)
            for room, last_ms in times.items()
            if show == "all" or is_direct(room) == (show == "direct")
        ]
        places = sorted((p for p in places if below is None or p < below), reverse=True)
        items: list[Interaction] = []
        while places and len(items) < n:
            looked, places = places[:n], places[n:]
            for room in await self._rooms.some(principal, [place[1] for place in looked]):
                item = Interaction(place_of(room.row), room.row, room)
                # What has moved meanwhile belongs further up.
                if below is None or item.place < below:
                    items.append(item)
        return _Source(items, looked[-1] if places else _WHOLE)


def _merged(sources: Iterable[_Source], n: int) -> tuple[list[Interaction], str | None]:
    # Below the highest point at which one source stopped, its items might still be missing.
    sources = list(sources)
    floor = max(source.down_to for source in sources)
    items = [item for source in sources for item in source.items if item.place >= floor]
    items.sort(key=lambda item: item.place, reverse=True)
    if len(items) > n:
        return items[:n], after_place(items[n - 1].place)
    return items, after_place(floor) if floor != _WHOLE else None

"""Keeps the search index at the ends of all logs: each node for its own index."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from batonbox_server.errors import BatonboxError
from batonbox_server.store.archive_port import Archive
from batonbox_server.store.contacts_port import ContactStore
from batonbox_server.store.port import LogEntry
from batonbox_server.store.rooms_port import RoomStore
from batonbox_server.store.scan_port import CONTACTS, ScanStore
from batonbox_server.tasks import cancel_all, spawn

from .directory import LiveDirectory
from .search_changes import continued
from .search_port import Change, Move, Place, Progress, SearchIndex
from .search_turn import ENTRIES, Sources, Turn, further

__all__ = ["Feeding", "SearchFeed"]

_log = structlog.get_logger(__name__)
_TURNS: Final = 2
_READ_AT_ONCE: Final = 8  # logs: what a busy one has takes the engine some 0.2 ms
_WRITTEN_AT_ONCE: Final = 1000  # entries
_SOON_S: Final = 0.05  # what is written meanwhile costs no transaction of its own
_BUSY_S: Final = 1.0  # the same in a log that is written to all the time
_PAUSE_MOST_S: Final = 0.2
_SWEEP_S: Final = 1.0
_SWEEP_PER_LOG_S: Final = 0.003  # a sweep of many logs costs the engine under a hundredth of this
_ERROR_PAUSE_S: Final = 0.5
_ERROR_PAUSE_MOST_S: Final = 30.0  # of a disk that stays full
_ROOMS: Final = 500
_NEVER: Final = float("-inf")


@dataclass(frozen=True, slots=True)
class Feeding:
    """What the feed works with; `archive` None: there is none."""

    index: SearchIndex
    scan: ScanStore
    rooms: RoomStore
    contacts: ContactStore
    directory: LiveDirectory
    archive: Archive | None


class SearchFeed:
    """Looks at a log as soon as something was written to it here, and at every log by and by.

    Logs that only moved on are followed together. Others, which have to be read from their
    beginnings, or where nothing is found behind the place, take turns beside that.
    """

    def __init__(self, work: Feeding) -> None:
        self._work = work
        self._index = work.index
        self._sources = Sources(work.scan, work.contacts, work.archive)
        self._places: dict[str, Place] | None = None
        self._ends: dict[str, tuple[str, int, str]] = {}
        self._live: dict[str, None] = {}
        self._building: dict[str, None] = {}
        self._turning: set[str] = set()  # both kinds
        self._turns = 0
        self._following = False
        # Written to here, by how soon they are looked at.
        self._soon: dict[float, set[str]] = {_SOON_S: set(), _BUSY_S: set()}
        self._poked: set[str] = set()
        self._ripened_s: dict[str, float] = {}
        self._swept_s = _NEVER
        self._told = self._doubtful = False
        self._wake, self._looked = asyncio.Event(), asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin."""
        spawn(self._tasks, self._run(), name="search-feed")

    async def aclose(self) -> None:
        """Stop; what is half-way is done again by the next start."""
        await cancel_all(self._tasks)

    def poke(self, log: str) -> None:
        """Something was written here."""
        if log in self._poked or not (log in self._ends or log in (self._places or {})):
            return
        self._poked.add(log)
        loop = asyncio.get_running_loop()
        quiet = loop.time() - self._ripened_s.get(log, _NEVER) > 2 * _BUSY_S
        delay_s = _SOON_S if quiet else _BUSY_S
        waiting = self._soon[delay_s]
        if not waiting:  # those that come meanwhile are looked at with it
            loop.call_later(delay_s, self._ripe, delay_s)
        waiting.add(log)

    def _ripe(self, delay_s: float) -> None:
        logs, self._soon[delay_s] = self._soon[delay_s], set()
        self._poked -= logs
        self._ripened_s.update(dict.fromkeys(logs, asyncio.get_running_loop().time()))
        self._live.update(dict.fromkeys(logs))
        self._wake.set()

    def look(self) -> None:
        """What is known of the index and the logs may be wrong: ask again, at once."""
        self._places, self._swept_s, self._told = None, _NEVER, False
        self._looked.clear()
        self._wake.set()

    async def rebuild(self) -> None:
        """Throw away what is known, and read everything again. Raises Refused("unavailable")."""
        await self._index.clear()
        self.look()

    async def looked(self) -> None:
        """Until the ends of all logs are known since the start; the engine may be away for long."""
        await self._looked.wait()

    @property
    def progress(self) -> Progress:
        """In all logs."""
        return self.progress_in(self._ends.keys() | (self._places or {}).keys())

    def progress_in(self, logs: Collection[str]) -> Progress:
        """See the port."""
        known = self._places or {}
        places = {log: known[log] for log in logs if log in known}
        ends = {log: self._ends[log][1] for log in logs if log in self._ends}
        behind = sum(
            max(0, seq - (places[log].seq if log in places else 0)) for log, seq in ends.items()
        )
        complete = (
            self._places is not None
            and self._swept_s > _NEVER
            and not any(place.step for place in places.values())
            and places.keys() == ends.keys()
            and all(_may_continue(place, self._ends[log]) for log, place in places.items())
        )
        done = sum(place.done for place in places.values())
        total = sum(max(place.done, place.total) for place in places.values())
        return Progress(complete, behind, done, total)

    def seqs_in(self, logs: Collection[str]) -> Mapping[str, int]:
        """See the port."""
        known = self._places or {}
        return {log: known[log].seq for log in logs if log in known}

    async def _run(self) -> None:
        pause_s = _ERROR_PAUSE_S
        while True:
            try:
                await self._sweep()
                self._begin_turns()
                await self._rest()
                pause_s = _ERROR_PAUSE_S
                continue
            except BatonboxError as error:
                _log.warning("search_feed_failed", error=str(error))
            except Exception:  # whatever it was, the index has to go on
                _log.exception("search_feed_failed")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _ERROR_PAUSE_MOST_S)

    async def _sweep(self) -> None:
        """Compare the index with the ends of all logs."""
        pause_s = max(_SWEEP_S, _SWEEP_PER_LOG_S * len(self._ends))
        if time.monotonic() - self._swept_s < pause_s:
            return
        places = self._places
        if places is None:
            if self._turning:
                return  # what they still write belongs to what is read next
            places = self._places = dict(await self._index.places())
        elif self._doubtful or self._index.shared:
            known, self._doubtful = await self._index.places(), False
            places.clear()  # the same dict: turns under way write into it
            places.update(known)
        self._ends = dict(await self._work.scan.ends(await self._logs()))
        self._swept_s = time.monotonic()
        for log in places.keys() - self._ends.keys():
            self._building[log] = None  # it is no more: that turn forgets it
        for log, end in self._ends.items():
            self._sort(log, end)
        self._looked.set()
        self._tell()

    async def _logs(self) -> list[str]:
        logs = [CONTACTS, *self._work.directory.inboxes]
        after, more = "", True
        while more:
            rooms = await self._work.rooms.all_rooms(after=after, n=_ROOMS)
            logs += rooms
            after, more = rooms[-1] if rooms else "", len(rooms) == _ROOMS
        return logs

    def _sort(self, log: str, end: tuple[str, int, str]) -> None:
        place = (self._places or {}).get(log)
        if place is not None and (place.epoch, place.seq, place.tip) == end and not place.step:
            return
        if place is None or place.step or place.seq >= end[1] or not _may_continue(place, end):
            self._building[log] = None
        else:
            self._live[log] = None

    def _begin_turns(self) -> None:
        places = self._places
        if places is None:
            return
        if self._live and not self._following:
            self._begin_following(places)
        for log in list(self._building):
            if self._turns >= _TURNS:
                break
            if log in self._turning:
                continue  # looked at again when that turn ends
            del self._building[log]
            self._turning.add(log)
            self._turns += 1
            spawn(self._tasks, self._turn(log), name=f"search {log}")

    def _begin_following(self, places: dict[str, Place]) -> None:
        logs: list[str] = []
        for log in [log for log in self._live if log not in self._turning]:
            del self._live[log]
            place = places.get(log)
            if place is None or place.step:
                self._building[log] = None
            else:
                logs.append(log)
        if logs:
            self._following = True
            self._turning.update(logs)
            spawn(self._tasks, self._follow(logs, places), name="search following")

    async def _follow(self, logs: list[str], places: dict[str, Place]) -> None:
        """What these logs say behind their places, read some at a time and written together."""
        moves: list[Move] = []
        entries = 0
        try:
            for first in range(0, len(logs), _READ_AT_ONCE):
                some = logs[first : first + _READ_AT_ONCE]
                reads = [further(self._work.scan, log, places[log]) for log in some]
                for log, found in zip(some, await asyncio.gather(*reads), strict=True):
                    moved = _continued(log, places[log], found)
                    if moved is None:
                        self._building[log] = None  # its turn finds out why
                        continue
                    moves.append(Move(log, *moved))
                    entries += len(found)
                    if len(found) == ENTRIES:
                        self._live[log] = None
                    await asyncio.sleep(0)  # whoever is served comes first
                if entries >= _WRITTEN_AT_ONCE:
                    await self._write(moves, places)
                    moves, entries = [], 0
            await self._write(moves, places)
        except BatonboxError as error:
            self._failed(error, "")
        finally:
            self._following = False
            self._turning.difference_update(logs)
            self._wake.set()

    async def _write(self, moves: list[Move], places: dict[str, Place]) -> None:
        if moves:
            await self._index.apply_all(moves)
        for move in moves:
            places[move.log] = move.place
            self._moved(move.log, move.place)

    async def _turn(self, log: str) -> None:
        places, again = self._places, False
        if places is None:
            self._turns -= 1
            self._turning.discard(log)
            return
        begun_s = time.monotonic()
        try:
            was = places.get(log)
            place = await Turn(self._index, self._sources, log).run(was)
            if place is None:
                places.pop(log, None)
                self._ends.pop(log, None)
                self._ripened_s.pop(log, None)
            else:
                places[log], again = place, bool(place.step)
                self._moved(log, place)
            if again and not _only_followed(was, place):
                # Reading everything leaves half of the time to whoever is served.
                await asyncio.sleep(min(_PAUSE_MOST_S, time.monotonic() - begun_s))
        except BatonboxError as error:
            self._failed(error, log)
        finally:
            self._turns -= 1
            self._turning.discard(log)
            if again:
                self._building[log] = None
            self._wake.set()

    def _failed(self, error: BatonboxError, log: str) -> None:
        self._doubtful = True  # the next sweep looks at it again
        if not self._index.shared:
            _log.warning("search_turn_failed", log=log, error=str(error))

    def _moved(self, log: str, place: Place) -> None:
        end = self._ends.get(log)
        if end is None or end[1] <= place.seq:
            self._ends[log] = (place.epoch, place.seq, place.tip)
        elif not place.step:
            self._live[log] = None
        self._tell()

    def _tell(self) -> None:
        """One line when everything is there, after a start and after each rebuilding."""
        if not self._told and (progress := self.progress).complete:
            self._told = True
            _log.info("search_index_complete", conversations=progress.total)

    async def _rest(self) -> None:
        pause_s = max(_SWEEP_S, _SWEEP_PER_LOG_S * len(self._ends))
        try:
            async with asyncio.timeout(max(0.005, self._swept_s + pause_s - time.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()


def _may_continue(place: Place, end: tuple[str, int, str]) -> bool:
    """Whether a log that ends there may be the one that was read up to the place."""
    epoch, seq, tip = end
    return place.epoch == epoch and (place.seq != seq or place.tip == tip)


def _continued(
    log: str, place: Place, entries: Sequence[LogEntry]
) -> tuple[list[Change], Place] | None:
    """None as well for what cannot be read: the other logs have nothing to do with it."""
    try:
        return continued(place, entries)
    except Exception:
        _log.exception("search_entries_unreadable", log=log, after=place.seq)
        return None


def _only_followed(was: Place | None, now: Place | None) -> bool:
    """Whether a log that is being read ran ahead, and is to be caught up with at once."""
    if was is None or now is None:
        return False
    return (was.epoch, was.step, was.walked) == (now.epoch, now.step, now.walked)

"""The search of a node, put together: its index, what feeds it, and who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import structlog

from batonbox_server import control
from batonbox_server.config import Settings
from batonbox_server.errors import Refused
from batonbox_server.node_organisation import Organisation
from batonbox_server.search.index import SqliteIndex
from batonbox_server.service.reads import InboxReads
from batonbox_server.service.search import Search
from batonbox_server.service.search_feed import Feeding, SearchFeed
from batonbox_server.service.search_port import Progress
from batonbox_server.store.contacts import RedisContacts
from batonbox_server.store.contacts_port import ContactStore
from batonbox_server.store.scan import RedisScan
from batonbox_server.store.scan_port import CONTACTS

__all__ = ["NodeSearch", "reindex"]

_log = structlog.get_logger(__name__)
_FILE: Final = "search.sqlite"
_PAUSE_S: Final = 1.0


class NodeSearch:
    """`open`, then `start`; the organisation ends it. `poke(prefix)` of whatever was written."""

    def __init__(self, node: Organisation, *, contacts: ContactStore) -> None:
        self._node = node
        self._contacts = contacts
        settings = node.settings
        folder = Path(settings.search_dir or settings.data_dir)
        self.index = SqliteIndex(folder / _FILE, on_anew=self._made_anew)
        self._loop = asyncio.get_running_loop()
        self.feed = SearchFeed(
            Feeding(
                index=self.index,
                scan=RedisScan(node.client, keys=node.keys),
                rooms=node.room_store,
                contacts=contacts,
                directory=node.directory,
                archive=node.archive,
            )
        )

    async def open(self) -> None:
        """Without a file the node serves all the same, and the feed tries again."""
        self._node.closing.push_async_callback(self.index.aclose)
        try:
            await self.index.open()
        except Refused as refused:
            _log.error("search_index_unavailable", error=refused.message)

    def start(self) -> None:
        """Begin to read the logs."""
        self.feed.start()
        self._node.closing.push_async_callback(self.feed.aclose)

    def service(self, reads: InboxReads) -> Search:
        """What endpoints ask."""
        return Search(
            self.index,
            reads,
            self._node.room_store,
            self._contacts,
            self._node.directory,
            progress=lambda: self.feed.progress,
        )

    @property
    def counts(self) -> dict[str, int]:
        """For metrics."""
        progress = self.feed.progress
        return {
            "search_complete": int(progress.complete),
            "search_behind": progress.behind,
            "search_conversations_read": progress.done,
            "search_conversations": progress.total,
        }

    async def told(self, *, rebuild: bool) -> dict[str, Any]:
        """How far the index is, for `reindex`; `rebuild`: throw it away first."""
        if rebuild:
            await self.feed.rebuild()
        return asdict(self.feed.progress)

    def poke(self, prefix: str) -> None:
        """Something was written to the log of this prefix."""
        keys = self._node.keys
        self.feed.poke(CONTACTS if prefix == keys.contacts else keys.inbox_of(prefix))

    def _made_anew(self) -> None:
        """Called in the thread of the file."""
        self._loop.call_soon_threadsafe(self.feed.look)


async def reindex(settings: Settings, *, rebuild: bool, say: Callable[[str], None]) -> None:
    """Have the index made anew (or just say how far it is), by the running server or here.

    Raises Refused("unavailable"), FolderInUse.
    """
    folder = Path(settings.data_dir)
    told = await control.ask(folder, {"op": "search", "rebuild": rebuild})
    if told is not None:
        await _watch(lambda: control.ask(folder, {"op": "search"}), told, rebuild=rebuild, say=say)
        return
    organisation = Organisation(settings)
    try:
        await organisation.open()
        contacts = RedisContacts(
            organisation.client, keys=organisation.keys, log_events=settings.log_events
        )
        await contacts.open()
        search = NodeSearch(organisation, contacts=contacts)
        await search.open()
        if rebuild:
            await search.feed.rebuild()
        search.start()

        async def tell() -> dict[str, Any]:
            return await search.told(rebuild=False)

        await search.feed.looked()
        await _watch(tell, await tell(), rebuild=rebuild, say=say)
    finally:
        await organisation.close()


async def _watch(
    tell: Callable[[], Awaitable[dict[str, Any] | None]],
    told: dict[str, Any] | None,
    *,
    rebuild: bool,
    say: Callable[[str], None],
) -> None:
    """Say how far it is, and with `rebuild` go on until it is complete."""
    while told is not None:
        progress = Progress(**told)
        say(_line(progress))
        if progress.complete or not rebuild:
            return
        await asyncio.sleep(_PAUSE_S)
        told = await tell()
    raise Refused("unavailable", "The server has stopped; it goes on when it starts again.")


def _line(progress: Progress) -> str:
    if progress.complete:
        behind = f", {progress.behind:,} log entries behind" if progress.behind else ""
        return f"complete: {progress.done:,} conversations{behind}"
    part = f" ({100 * progress.done // progress.total} %)" if progress.total else ""
    return f"reading: {progress.done:,} of {progress.total:,} conversations{part}"

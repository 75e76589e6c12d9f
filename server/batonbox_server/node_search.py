"""The search of a node, put together: its index, what feeds it, and who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import structlog

from batonbox_server import control
from batonbox_server.config import ConfigError, Settings
from batonbox_server.errors import Refused
from batonbox_server.node_organisation import Organisation
from batonbox_server.search.ft import FtIndex
from batonbox_server.search.index import SqliteIndex
from batonbox_server.service.reads import InboxReads
from batonbox_server.service.search import Search
from batonbox_server.service.search_feed import Feeding, SearchFeed
from batonbox_server.service.search_port import Progress, SearchIndex
from batonbox_server.store.address import Address
from batonbox_server.store.contacts import RedisContacts
from batonbox_server.store.contacts_port import ContactStore
from batonbox_server.store.scan import RedisScan

__all__ = ["NodeSearch", "reindex"]

_log = structlog.get_logger(__name__)
_FILE: Final = "search.sqlite"
_PAUSE_S: Final = 0.5


class NodeSearch:
    """`open`, then `start`; the organisation ends it. `feed.poke(log)` of whatever was written."""

    feed: SearchFeed

    def __init__(self, node: Organisation, *, contacts: ContactStore) -> None:
        self._node = node
        self._contacts = contacts
        self._loop = asyncio.get_running_loop()

    async def open(self) -> None:
        """Without a file the node serves all the same, and the feed tries again.

        Raises ConfigError, Refused("unavailable").
        """
        node = self._node
        self.index = await self._of_engine() or await self._of_file()
        node.closing.push_async_callback(self.index.aclose)
        self.feed = SearchFeed(
            Feeding(
                index=self.index,
                scan=RedisScan(node.client, keys=node.keys),
                rooms=node.room_store,
                contacts=self._contacts,
                directory=node.directory,
                archive=node.archive,
            )
        )

    async def _of_engine(self) -> SearchIndex | None:
        """The engine's own, where it has one and its memory is not to be bounded."""
        settings, node = self._node.settings, self._node
        wanted = settings.search_index
        if wanted not in {"auto", "file", "engine"}:
            raise ConfigError("BATONBOX_SEARCH_INDEX must be auto, file or engine")
        if wanted == "file" or (wanted == "auto" and settings.engine_memory_max):
            return None
        if settings.redis_url and Address.parse(settings.redis_url).topology == "cluster":
            # One index would stand in one slot, and its engine carry it for all.
            if wanted == "engine":
                raise ConfigError("BATONBOX_SEARCH_INDEX=engine: not on a cluster; choose file")
            return None
        index = FtIndex(node.client.ask, space=settings.key_space)
        if await index.open():
            _log.info("search_index_in_engine", engine=node.client.server_name)
            return index
        if wanted == "engine":
            raise ConfigError(
                "BATONBOX_SEARCH_INDEX=engine: this engine has no FT.SEARCH for texts; choose file"
            )
        return None

    async def _of_file(self) -> SearchIndex:
        settings = self._node.settings
        folder = Path(settings.search_dir or settings.data_dir)
        index = SqliteIndex(folder / _FILE, on_anew=self._made_anew)
        try:
            await index.open()
        except Refused as refused:
            _log.error("search_index_unavailable", error=refused.message)
        return index

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
            standing=self.feed,
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

    async def told(self, *, rebuild: bool, first: bool = True) -> dict[str, Any]:
        """How far the index is, for `reindex`; `rebuild`: throw it away before that.

        Not `first`: another worker of this server was asked before, and may have the same index.
        """
        if rebuild and (first or not isinstance(self.index, FtIndex)):
            await self.feed.rebuild()
        return asdict(self.feed.progress)

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
    said = ""
    while told is not None:
        progress = Progress(**told)
        if said != (said := _line(progress)):
            say(said)
        if progress.complete or not rebuild:
            return
        await asyncio.sleep(_PAUSE_S)
        told = await tell()
    raise Refused("unavailable", "The server has stopped; it goes on when it starts again.")


def _line(progress: Progress) -> str:
    if progress.complete:
        behind = f", {progress.behind:,} log entries behind" if progress.behind else ""
        return f"complete: {progress.done:,} conversations read, and what came since{behind}"
    part = f" ({100 * progress.done // progress.total} %)" if progress.total else ""
    return f"reading: {progress.done:,} of {progress.total:,} conversations{part}"

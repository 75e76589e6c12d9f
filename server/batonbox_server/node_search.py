"""The search of a node, put together: its index, what feeds it, and who asks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from batonbox_server.node_organisation import Organisation
from batonbox_server.search.index import SqliteIndex
from batonbox_server.service.reads import InboxReads
from batonbox_server.service.search import Search
from batonbox_server.service.search_feed import Feeding, SearchFeed
from batonbox_server.store.contacts_port import ContactStore
from batonbox_server.store.scan import RedisScan
from batonbox_server.store.scan_port import CONTACTS

__all__ = ["NodeSearch"]

_FILE: Final = "search.sqlite"


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
        """Raises Refused("unavailable") when there can be no file."""
        self._node.closing.push_async_callback(self.index.aclose)
        await self.index.open()

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

    def poke(self, prefix: str) -> None:
        """Something was written to the log of this prefix."""
        keys = self._node.keys
        self.feed.poke(CONTACTS if prefix == keys.contacts else keys.inbox_of(prefix))

    def _made_anew(self) -> None:
        """Called in the thread of the file."""
        self._loop.call_soon_threadsafe(self.feed.look)

"""No export passes for whole while a part of it is in an archive that cannot be read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from batonbox_server.errors import Refused
from batonbox_server.service import export_source
from batonbox_server.service.export_source import Part, read_thread
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.port import InboxStore
from batonbox_server.store.redis import RedisStore
from tests.integration.archived_box import ArchivedBox


class Reading:
    """A source of one inbox, as a member of it reads."""

    def __init__(self, store: InboxStore) -> None:
        self._store = store

    async def rows(self, inbox: str, after: str) -> tuple[list[dict[str, Any]], str]:
        raise NotImplementedError

    async def part(self, conv: str, *, before: int) -> Part:
        n = export_source.PAGE
        thread = await self._store.history(conv=conv, actor="ann", before=before, n=n)
        return Part(thread.row, thread.messages, bool(thread.next))

    async def rooms(self) -> list[str]:
        raise NotImplementedError

    async def members(self, room: str) -> list[str]:
        raise NotImplementedError


@pytest.fixture
async def box(client: EngineClient, prefix: str, tmp_path: Path) -> AsyncIterator[ArchivedBox]:
    """An inbox with an archive."""
    box = ArchivedBox(client, prefix, tmp_path)
    await box.open()
    yield box
    await box.archive.aclose()


async def numbers(store: InboxStore, conv: str) -> list[int]:
    """Of all lines, as an export reads them."""
    thread = await read_thread(Reading(store), conv)
    return [line[0] async for lines in thread.lines for line in lines]


@pytest.mark.parametrize("keep", [9, 6, 3])  # the border: in a page, where one begins, in the last
async def test_lines_that_cannot_be_read_end_it(
    box: ArchivedBox, keep: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_source, "PAGE", 5)
    monkeypatch.setattr(export_source, "_PAUSES_S", (0.0,))
    conv = await box.talk(12)
    await box.lines_away(conv, keep=keep)
    assert await numbers(box.store, conv) == list(range(1, 13))
    blind = RedisStore(box.client, keys=box.keys)
    with pytest.raises(Refused) as caught:
        await numbers(blind, conv)
    assert caught.value.slug == "unavailable"


async def test_lines_that_were_erased_do_not(
    box: ArchivedBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_source, "PAGE", 5)
    conv = await box.talk(12)
    await box.lines_away(conv, keep=6)
    assert (await box.store.purge(conv=conv, upto=3)).n == 3
    assert await numbers(box.store, conv) == list(range(4, 13))

"""An archive with what its engine does not know: a failover, a restore, a clock set back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from batonbox_server.store.archive_port import ArchivedRow
from batonbox_server.store.connect import EngineClient
from tests.integration.archive_site import Site
from tests.integration.store_harness import OUR


@pytest.fixture
async def site(client: EngineClient, prefix: str, tmp_path: Path) -> AsyncIterator[Site]:
    """An inbox with an archive and nothing in either."""
    site = Site(client, prefix, tmp_path)
    await site.open()
    yield site
    await site.archive.aclose()


async def test_an_engine_whose_clock_went_back_loses_nothing_to_what_it_said_before(
    site: Site,
) -> None:
    """A failover rewrote what was archived and had not left; the new engine's clock is behind."""
    await site.write(times=5)
    before, ahead_ms = await site.proof(), await site.now_ms() + 86_400_000
    for conv in before["done"] + before["open"]:
        out = await site.store.lines_out(conv=conv, keep=0)
        lost = [
            replace(line, packed=line.packed.replace(b"xxxxx", b"other"), read_ms=ahead_ms)
            for line in out.lines
        ]
        await site.guarded.put_lines(conv=conv, lines=lost)
        row = (await site.store.history(conv=conv, actor="adm", n=1)).row
        raw = {"id": conv.encode(), "our": OUR.encode(), "customer": row["customer"].encode()}
        older = ArchivedRow(conv, row["last_ms"], {**row, "n": 1}, raw, ahead_ms)
        await site.guarded.put_row(older)
    archiver = site.archiver()
    await archiver.sweep()
    assert (archiver.moved.rows, archiver.moved.lines) == (2, 16)
    assert await site.proof() == before
    for conv in before["done"]:
        assert await site.store.bring_back(conv=conv)
    assert await site.proof() == before

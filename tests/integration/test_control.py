"""The control socket, asked of a process that ends in the middle of its answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from batonbox_server import control


@pytest.mark.parametrize("said", [b"", b'{"token": "half', b"{}"])
async def test_half_an_answer_is_none(tmp_path: Path, said: bytes) -> None:
    async def dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(said)
        writer.close()

    async with await asyncio.start_unix_server(dying, tmp_path / "control.sock"):
        assert await control.ask(tmp_path, {"op": "ping"}, timeout_s=5) is None

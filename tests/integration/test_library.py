"""The scripts' library in the engine: versions side by side, forgotten and given again."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from batonbox_server.store.connect import EngineClient
from batonbox_server.store.library import FOLDER, load_folder
from batonbox_server.store.scripts import Scripts, forget_others
from tests.integration.store_harness import Box


@pytest.fixture
def other(client: EngineClient, tmp_path: Path) -> Scripts:
    """A later version, where the head of a log is told with another word."""
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "info.lua"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('{"not_found"}', '{"nowhere"}'), encoding="utf-8")
    return Scripts(client, tmp_path)


async def test_versions_stand_side_by_side(client: EngineClient, other: Scripts) -> None:
    """While a fleet is renewed, nodes of two versions call their own."""
    ours, nowhere = Scripts(client), f"t{{ib:{uuid.uuid4().hex}}}"
    for _ in range(2):
        assert await ours.info(nowhere) == [b"not_found"]
        assert await other.info(nowhere) == [b"nowhere"]


async def test_what_another_version_left_is_forgotten(client: EngineClient, other: Scripts) -> None:
    """Once, when a node begins; a node of that version which still runs brings its own back."""
    ours, nowhere = Scripts(client), f"t{{ib:{uuid.uuid4().hex}}}"
    await ours.info(nowhere)
    await other.info(nowhere)
    theirs = next(iter(other._scripts.values()))
    await forget_others(client)
    with pytest.raises(ResponseError, match="Function not found"):
        await client.execute("FCALL", theirs.function, 1, nowhere)
    mine = load_folder()["info"].function
    assert await client.execute("FCALL", mine, 1, nowhere) == [b"not_found"]
    assert await other.info(nowhere) == [b"nowhere"]


async def test_nothing_is_left_of_the_call_before(client: EngineClient) -> None:
    """Functions outlive a call, whose log is told to them anew; an error in between leaves none."""
    scripts, keep = Scripts(client), 100
    prefixes = [f"t{{{name}:{uuid.uuid4().hex}}}" for name in ("ib", "ib", "~r")]
    for number, prefix in enumerate(prefixes):
        await scripts.create_inbox(prefix, epoch=f"epoch{number}", keep=keep)
    wrong = f"t{{ib:{uuid.uuid4().hex}}}"
    await client.execute("SET", f"{wrong}:meta", "no hash")

    async def told(number: int) -> bytes:
        if number % 5 == 4:
            with pytest.raises(ResponseError, match="WRONGTYPE"):
                await scripts.info(wrong)
        epoch: bytes = (await scripts.head(prefixes[number % 3], at=0))[1]
        return epoch

    epochs = await asyncio.gather(*(told(number) for number in range(30)))
    assert epochs == [f"epoch{number % 3}".encode() for number in range(30)]


async def test_a_row_from_before_a_field_is_given_it_by_a_change(box: Box) -> None:
    """Changes alone are written; a field that the row never had is one, once it has a value."""
    conv = await box.receive()
    row = f"{box.log}:c:{conv}"
    await box.client.execute("HDEL", row, "snoozed_until", "opted_out", "acted_ms")
    await box.assign(conv)
    acted, opted = await box.client.execute("HMGET", row, "acted_ms", "opted_out")
    assert int(acted) > 0 and opted == b"0"

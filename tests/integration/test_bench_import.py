"""What the archive's benchmark imports is what the server's own scripts make and read."""

from __future__ import annotations

import uuid
from pathlib import Path

import msgpack  # type: ignore[import-untyped]

from batonbox_server.store.by import pack_for_lua
from batonbox_server.store.library import load_script
from tests.bench import archive
from tests.integration.store_harness import OUR, Box

CUSTOMER = "+19050000001"


async def test_an_imported_conversation_is_one_that_was_received(box: Box) -> None:
    script = load_script(Path(archive.__file__).with_name("import.lua"))
    await box.client.execute("FUNCTION", "LOAD", "REPLACE", script.library.source)
    conv = f"box.{uuid.uuid4().hex}"
    bodies = [msgpack.packb({"text": f"text {n}"}) for n in range(3)]
    given = (conv, OUR, CUSTOMER, pack_for_lua(bodies), "text 2")
    reply = await box.client.execute("FCALL", script.function, 1, box.log, *given)
    assert reply == [b"ok"]
    row = await box.row(conv)
    assert (row["n"], row["unanswered"], row["status"]) == (3, 3, "unassigned")
    # The next message of this customer comes into the same conversation.
    assert await box.receive(CUSTOMER) == conv
    assert (await box.row(conv))["n"] == 4

"""What the growth benchmark copies is what the scripts make, key by key."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from batonbox_server.store.by import pack_for_lua
from batonbox_server.store.library import load_script
from tests.bench.growth import COPIES
from tests.integration.store_harness import OUR, Box

FIRST = 7_000_000  # the copies' customers
# What names a conversation, and when it last changed.
NAMES = {b"id", b"customer", b"last_ms"}


async def places(box: Box, conv: str, customer: str) -> dict[str, Any]:
    """All that the engine has of a conversation, by key, without what names it."""
    client, found = box.client, dict[str, Any]()
    for name in await client.execute("KEYS", f"{box.log.replace('[', '?')}:*"):
        key = name.decode().removeprefix(f"{box.log}:").replace(conv, "CONV")
        match (await client.execute("TYPE", name)).decode():
            case "zset":
                score = await client.execute("ZSCORE", name, conv)
                found[key] = score is not None
            case "set":
                members = await client.execute("SMEMBERS", name)
                found[key] = any(conv.encode() in member for member in members)
            case "hash" if key == "c:CONV":
                flat = await client.execute("HGETALL", name)
                row = dict(zip(flat[::2], flat[1::2], strict=True))
                assert row[b"id"].decode() == conv
                assert row[b"customer"].decode() == customer
                found[key] = {field: row[field] for field in row.keys() - NAMES}
                last_ms = float(row[b"last_ms"])
            case "hash" if key == "cx":
                found[key] = await client.execute("HGET", name, f"{OUR}|{customer}")
                found[key] = found[key] == conv.encode()
            case "list" if key == "m:CONV":
                found[key] = await client.execute("LRANGE", name, 0, -1)
    there = {key: value for key, value in found.items() if value is not False}
    top = "done" if there.get("done") else "op"
    assert float(await client.execute("ZSCORE", f"{box.log}:{top}", conv)) == last_ms
    return there


@pytest.mark.parametrize("standing", ["waiting", "mine", "done"])
async def test_a_copy_stands_where_its_original_stands(box: Box, standing: str) -> None:
    engine = box.client
    await box.receive("+19050000001")
    of = await box.receive("+19050000002", "fill-x")
    if standing != "waiting":
        tok = (await box.assign(of)).own_tok
        if standing == "done":
            await box.store.done(conv=of, actor="ann", cid=uuid.uuid4().hex, own_tok=tok, seen="*")
    script = load_script(COPIES)
    await engine.execute("FUNCTION", "LOAD", "REPLACE", script.library.source)
    ids = [f"box.{uuid.uuid4().hex}" for _ in range(3)]
    await engine.execute("FCALL", script.function, 1, box.log, of, FIRST, pack_for_lua(ids))
    original = await places(box, of, "+19050000002")
    assert original.keys() >= {"c:CONV", "m:CONV", "cx"}
    for number, conv in enumerate(ids, FIRST):
        assert await places(box, conv, f"+1905{number}") == original
        provider = f"{box.log}:p:fill-{number}"
        assert conv.encode() in await engine.execute("GET", provider)
        assert await engine.execute("PTTL", provider) > 0
    # It lives on as any other.
    cid = uuid.uuid4().hex
    noted = await box.store.note(conv=ids[0], actor="bob", cid=cid, body=b"\x80")
    assert (await box.row(ids[0]))["rev"] == noted.seq

"""The golden frames, on the server's side: its codecs, and its session hearing a client's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batonbox_server import wire

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "frames.json").read_text()
)
FROM_CLIENT = [vector for vector in VECTORS if vector["frame"][0] in wire.CLIENT_FRAMES]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_both_codecs_are_as_golden(vector: dict[str, Any]) -> None:
    packed = bytes.fromhex(vector["msgpack_hex"])
    assert wire.encode(vector["frame"], wire.MSGPACK_SUBPROTOCOL) == packed
    assert wire.decode(packed, wire.MSGPACK_SUBPROTOCOL) == [vector["frame"]]
    assert wire.decode(vector["json"], wire.JSON_SUBPROTOCOL) == [vector["frame"]]
    assert json.loads(wire.transcode(packed)) == vector["frame"]


@pytest.mark.parametrize("vector", FROM_CLIENT, ids=lambda v: v["name"])
def test_a_clients_frame_is_understood(vector: dict[str, Any]) -> None:
    op, *fields = vector["frame"]
    told = msgspec.convert(fields, wire.CLIENT_FRAMES[op])
    if isinstance(told, wire.Cmd):
        msgspec.convert(told.args, wire.COMMANDS[told.name])
    # Unknown trailing elements are ignored.
    assert msgspec.convert([*_full(fields, op), "later"], wire.CLIENT_FRAMES[op]) is not None


def _full(fields: list[Any], op: int) -> list[Any]:
    """All known elements, so that another one is a trailing one."""
    told = msgspec.convert(fields, wire.CLIENT_FRAMES[op])
    return list(msgspec.to_builtins(told))


def test_every_frame_a_client_may_send_has_a_golden_one() -> None:
    # VIEWING has no structure yet: it is a reserved number.
    assert {vector["frame"][0] for vector in FROM_CLIENT} == set(wire.CLIENT_FRAMES)
